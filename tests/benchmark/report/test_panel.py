from typing import Any

import numpy as np
import pytest

from benchmark import store
from benchmark.board.candidates import gather
from benchmark.metrics import recall_by_class
from benchmark.report.panel import Panel, Verdicts, agreement, members, poll


def panel(guesses: list[list[int]], truth: list[int], confidence: float = 0.9) -> Panel:
    """Candidates that each have one seed and are always equally sure."""
    answers, right = np.array(guesses, np.int32), np.array(truth)
    classes = 3
    shares = np.full((*answers.shape, classes), (1 - confidence) / (classes - 1), np.float32)
    for row, guess in enumerate(answers):
        shares[row, np.arange(len(right)), guess] = confidence
    return Panel(
        names=tuple(f"c{row}" for row in range(len(answers))),
        classes=("x", "y", "z"),
        images=np.array([f"{place:064x}" for place in range(len(right))]),
        truth=right,
        guesses=answers,
        confidence=np.full(answers.shape, confidence, np.float32),
        always_wrong=answers != right,
        probabilities=shares.mean(axis=0),
        recall=np.ones((len(answers), classes)),
        confusions=(),
    )


FOUR = panel([[0, 1, 2, 0], [0, 1, 1, 0], [0, 1, 2, 1], [0, 2, 1, 2]], [0, 0, 0, 1])


def test_pictures_that_nobody_gets_right_are_those_all_answers_miss() -> None:
    assert Verdicts(FOUR).wrong_for_all().tolist() == [1, 2]


def test_labels_are_doubted_when_half_of_the_candidates_agree_on_another() -> None:
    verdicts = Verdicts(FOUR)
    assert verdicts.label_suspects().tolist() == [1, 2, 3]
    assert verdicts.other[1] == 1
    assert verdicts.against[[1, 2, 3]].tolist() == [3, 2, 2]


def test_candidates_that_are_not_sure_doubt_no_label() -> None:
    unsure = panel([[1, 1], [1, 1]], [0, 0], confidence=0.45)
    assert Verdicts(unsure).label_suspects().size == 0


def test_one_of_several_candidates_is_not_enough_to_doubt_a_label() -> None:
    assert Verdicts(panel([[1], [0]], [0])).label_suspects().size == 0
    assert Verdicts(panel([[1]], [0])).label_suspects().tolist() == [0]


def test_agreement_is_the_share_of_equal_answers() -> None:
    found = agreement(FOUR)
    assert found[0, 1] == pytest.approx(0.75)
    assert found[0, 3] == pytest.approx(0.25)
    assert np.diag(found).tolist() == [1, 1, 1, 1]
    assert np.array_equal(found, found.T)


def test_a_poll_asks_every_seed_of_every_trained_candidate(sweep: Any) -> None:
    records = sweep.records()
    candidates = gather(records, "balanced_accuracy")

    def load(record: Any) -> Any:
        return store.load_predictions(sweep.directory, record.run_id)

    asked = members(candidates, [])
    found = poll(asked, load)
    assert len(found.names) == 2
    seeds = [load(record) for record in asked[0].records]
    assert found.recall[0] == pytest.approx(np.mean([recall_by_class(one) for one in seeds], axis=0))
    assert found.confusions[0].sum() == 2 * 90
    wrong = (seeds[0].guess != seeds[0].truth) & (seeds[1].guess != seeds[1].truth)
    assert int(found.always_wrong[0].sum()) == int(wrong.sum())
    mean = np.mean([[one.probabilities for one in map(load, each.records)] for each in asked], axis=(0, 1))
    assert found.probabilities.sum(axis=0) == pytest.approx(mean.sum(axis=0), rel=1e-5)
