from typing import Any

import numpy as np
import pytest

from benchmark import store
from benchmark.board.candidates import gather
from benchmark.metrics import recall_by_class
from benchmark.report import sweep as report
from benchmark.report.panel import Panel, Verdicts, agreement, is_sure, members, poll


def panel(guesses: list[list[int]], truth: list[int], sure: bool = True) -> Panel:
    """Candidates that each have one seed and are all sure of all guesses, or of none."""
    answers, right = np.array(guesses, np.int32), np.array(truth)
    classes = 3
    shares = np.full((*answers.shape, classes), 0.05, np.float32)
    for row, guess in enumerate(answers):
        shares[row, np.arange(len(right)), guess] = 0.9
    return Panel(
        names=tuple(f"c{row}" for row in range(len(answers))),
        classes=("x", "y", "z"),
        images=np.array([f"{place:064x}" for place in range(len(right))]),
        truth=right,
        guesses=answers,
        sure=np.full(answers.shape, sure),
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
    unsure = panel([[1, 1], [1, 1]], [0, 0], sure=False)
    assert Verdicts(unsure).label_suspects().size == 0


def test_a_panel_of_nobody_doubts_no_label() -> None:
    assert Verdicts(FOUR.of([])).label_suspects().size == 0


def surely(chances: list[float], truth: list[int]) -> list[bool]:
    """Of which guesses a candidate is sure that gives the second of two classes these probabilities."""
    second = np.array(chances, np.float32)
    probabilities, labels = np.stack([1 - second, second], axis=1), np.array(truth)
    recall = np.array([(probabilities.argmax(axis=1) == label)[labels == label].mean() for label in (0, 1)])
    found: list[bool] = is_sure(probabilities, labels, recall).tolist()
    return found


def test_a_candidate_is_sure_from_the_mean_confidence_on_pictures_of_that_label_on() -> None:
    # The second class has .9 and .7 on its own pictures, .8 on average; the last two guesses are wrong.
    assert surely([0.1, 0.1, 0.1, 0.9, 0.7, 0.79, 0.81], [0, 0, 0, 1, 1, 0, 0])[-2:] == [False, True]


def test_no_guess_is_sure_that_is_less_probable_than_all_others_together() -> None:
    probabilities = np.array([[0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.3, 0.3, 0.4], [0.45, 0.3, 0.25]], np.float32)
    assert not is_sure(probabilities, np.array([0, 1, 2, 1]), np.array([1.0, 0.5, 1.0])).any()


def test_who_never_recognises_a_class_is_not_asked_about_its_labels() -> None:
    assert not any(surely([0.1, 0.2, 0.1, 0.1], [0, 0, 1, 1])[2:])


def test_candidates_that_only_guess_are_not_asked_about_labels(sweep_of: Any, read: Any) -> None:
    sweep = sweep_of(classes=("ant", "bee"), pictures=240)
    for weighting in ("none", "balanced"):
        sweep.add(0.5, seeds=(0,), weighting={"name": weighting, "rule": weighting})
    assert "no candidate surely tells the classes apart" in read(page_of(sweep)).text


def test_a_label_that_good_candidates_call_wrong_is_shown_with_who_was_asked(sweep: Any, read: Any) -> None:
    for record in sweep.records():
        if record.finished and not record.run_id.startswith("baseline"):
            said = sweep.answers("test", 0.95, 0)
            said.probabilities[0] = np.roll(np.eye(3, dtype=np.float32)[said.truth[0]], 1)
            store.write_predictions(sweep.directory, record.run_id, "test", said)
            store.write_record(sweep.directory, record)
    assert "of 2 candidates (tied with the best) are sure of one and the same other class" in read(page_of(sweep)).text


def page_of(sweep: Any) -> str:
    report.write(sweep.directory, "board")
    text: str = (sweep.directory / "report.html").read_text("utf-8")
    return text


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
