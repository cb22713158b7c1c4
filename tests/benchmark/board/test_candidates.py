"""Candidates: what is planned, what is complete, and what may not stand on one board."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.board import leaderboard
from benchmark.board.candidates import AmbiguousCandidate, NotComparable, gather
from benchmark.board.evidence import MissingImages

PRIMARY = "balanced_accuracy"


def with_first(sweep: Any, **changes: object) -> None:
    """Change the first record."""
    sweep.records[0] = sweep.records[0].model_copy(update=changes)


def test_pending_seeds_are_planned_seeds(sweep: Any) -> None:
    sweep.add(seeds=(0, 4))
    sweep.add(seeds=(7,), status="pending")
    (candidate,) = gather(sweep.records, PRIMARY)
    assert candidate.planned_seeds == (0, 4, 7)
    assert len(candidate.complete) == 2
    assert candidate.status == "incomplete"


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (("pending", "pending"), "pending"),
        (("pending", "running"), "running"),
        (("oom", "pending"), "oom"),
        (("ok", "crashed"), "incomplete"),
        (("ok", "ok"), "ok"),
    ],
)
def test_the_state_of_a_candidate_follows_from_its_runs(sweep: Any, states: tuple[str, ...], status: str) -> None:
    for seed, state in enumerate(states):
        sweep.add(seeds=(seed,), status=state)
    (candidate,) = gather(sweep.records, PRIMARY)
    assert candidate.status == status
    assert len(candidate.failures) == sum(state in ("oom", "crashed") for state in states)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fingerprint": "0" * 64}, "data fingerprint"),
        ({"classes": ("ant", "bee", "dog")}, "classes"),
        ({"primary": "accuracy"}, "primary metric"),
    ],
)
def test_results_on_other_data_or_metrics_are_refused(sweep: Any, changes: dict[str, object], message: str) -> None:
    sweep.add()
    with_first(sweep, **changes)
    with pytest.raises(NotComparable, match=message) as refusal:
        gather(sweep.records, PRIMARY)
    assert refusal.value.exit_code == 5


def test_a_board_by_another_metric_than_the_sweeps_is_refused(sweep: Any) -> None:
    sweep.add()
    with pytest.raises(NotComparable, match="named before the sweep"):
        gather(sweep.records, "accuracy")


def test_two_specs_under_one_candidate_are_named_with_their_difference(sweep: Any) -> None:
    sweep.add(seeds=(0,))
    first = sweep.records[0].candidate
    sweep.add(seeds=(1,), training={"epochs": 9})
    sweep.records[1] = sweep.records[1].model_copy(update={"candidate": first})
    with pytest.raises(AmbiguousCandidate, match=r"differ in training\.epochs") as refusal:
        gather(sweep.records, PRIMARY)
    assert refusal.value.exit_code == 2


def test_two_records_of_one_run_are_refused(sweep: Any) -> None:
    sweep.add(seeds=(0,))
    sweep.records.append(sweep.records[0].model_copy(update={"run_id": "again"}))
    with pytest.raises(AmbiguousCandidate, match="two records of seed 0"):
        gather(sweep.records, PRIMARY)


def test_folds_are_pooled_and_a_missing_fold_leaves_a_seed_incomplete(sweep: Any) -> None:
    whole = sweep.drawn
    for head in ("a", "b"):
        for seed in (0, 1):
            answers = whole.answers(0.8, seed)
            for fold in range(3):
                rows = slice(fold, None, 3)
                part = type(answers)(
                    answers.images[rows],
                    answers.groups[rows],
                    answers.truth[rows],
                    answers.probabilities[rows],
                    answers.classes,
                )
                sweep.add(
                    seeds=(seed,), status="pending", head=head, dataset={"split": "kfold", "folds": 3, "fold": fold}
                )
                if (head, seed, fold) != ("b", 1, 2):
                    sweep.records[-1] = sweep.records[-1].model_copy(update={"status": "ok"})
                    sweep.stored[sweep.records[-1].run_id] = part
    table = leaderboard.build(sweep.records, sweep.predictions, PRIMARY).table.set_index("head")
    assert table["status"].to_dict() == {"a": "ok", "b": "incomplete"}
    assert table["n_seeds"].to_dict() == {"a": 2, "b": 1}
    assert table.loc["a", "n_folds"] == 3
    plain = [whole.answers(0.8, seed) for seed in (0, 1)]
    accuracy = sum(float((one.guess == one.truth).mean()) for one in plain) / 2
    assert table.loc["a", "test_accuracy"] == pytest.approx(accuracy)


def test_predictions_of_fewer_images_are_refused(sweep: Any) -> None:
    sweep.add(head="a")
    sweep.add(head="b")
    whole = sweep.stored[sweep.records[-1].run_id]
    sweep.stored[sweep.records[-1].run_id] = type(whole)(
        whole.images[5:], whole.groups[5:], whole.truth[5:], whole.probabilities[5:], whole.classes
    )
    with pytest.raises(MissingImages, match="found 300 test images in") as refusal:
        leaderboard.build(sweep.records, sweep.predictions, PRIMARY)
    assert refusal.value.exit_code == 2
    assert f"295 in those of {sweep.records[-1].run_id}, 295 of them the same" in str(refusal.value)


def test_the_order_of_the_images_does_not_matter(sweep: Any) -> None:
    sweep.add(0.8, head="a")
    sweep.add(0.7, head="b")
    straight = leaderboard.build(sweep.records, sweep.predictions, PRIMARY)
    for run_id, one in sweep.stored.items():
        if "-b-" in run_id:
            back = slice(None, None, -1)
            sweep.stored[run_id] = type(one)(
                one.images[back], one.groups[back], one.truth[back], one.probabilities[back], one.classes
            )
    turned = leaderboard.build(sweep.records, sweep.predictions, PRIMARY)
    assert leaderboard.to_csv(turned) == leaderboard.to_csv(straight)


def test_a_metric_without_a_test_is_refused(sweep: Any) -> None:
    with pytest.raises(leaderboard.CannotRank, match=r"found the primary metric 'ece'") as refusal:
        leaderboard.build(sweep.records, sweep.predictions, "ece")
    assert refusal.value.exit_code == 1
