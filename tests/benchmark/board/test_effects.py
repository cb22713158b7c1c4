"""Effects: a planted one is found with its sign, an absent one is covered, and what has no partner is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmark.board.axes import UnknownReference
from benchmark.board.effect_tables import effects_csv, effects_markdown
from benchmark.board.effects import Effect, Effects, find_effects
from benchmark.board.leaderboard import CannotRank
from benchmark.metrics import recall_by_class, score_all
from benchmark.predictions import Predictions

BACKBONES = ("lenet", "minivgg", "shallownet")


def find(sweep: Any, **references: str) -> Effects:
    return find_effects(sweep.records, sweep.predictions, "balanced_accuracy", references)


def only(effects: tuple[Effect, ...], **wanted: object) -> Effect:
    [found] = [one for one in effects if all(getattr(one, key) == value for key, value in wanted.items())]
    return found


def add_grid(sweep: Any, gain: float) -> None:
    """Three backbones with and without `balanced`, which adds `gain` to the skill of each."""
    for index, backbone in enumerate(BACKBONES):
        seeds = (10 * index, 10 * index + 1, 10 * index + 2)
        sweep.add(0.7, seeds=seeds, backbone=backbone)
        sweep.add(0.7 + gain, seeds=[seed + 5 for seed in seeds], backbone=backbone, weighting="balanced")


def mean_difference(sweep: Any, backbones: tuple[str, ...], measure: Any) -> Any:
    """Balanced minus none, averaged over seeds and then over backbones, without the statistics package."""

    def mean(backbone: str, weighting: str) -> Any:
        chosen = [
            measure(sweep.predictions(record))
            for record in sweep.records
            if (record.spec.backbone.name, record.spec.weighting.name) == (backbone, weighting)
        ]
        return np.mean(chosen, axis=0)

    return np.mean([mean(backbone, "balanced") - mean(backbone, "none") for backbone in backbones], axis=0)


@pytest.mark.parametrize(("gain", "verdict"), [(0.15, "better"), (-0.15, "worse")])
def test_a_planted_effect_is_found_with_its_sign(sweep: Any, gain: float, verdict: str) -> None:
    add_grid(sweep, gain)
    effects = find(sweep)
    assert [effect.backbone for effect in effects.on_primary] == [*BACKBONES, "all"]
    assert {effect.verdict for effect in effects.on_primary} == {verdict}
    whole = only(effects.on_primary, backbone="all")
    assert (whole.axis, whole.level, whole.reference, whole.pairs) == ("weighting", "balanced", "none", 3)
    assert whole.low < whole.difference < whole.high
    assert effects.sentences[0].startswith("4 of 4 effects on balanced_accuracy can be told from none")


def test_differences_are_those_of_the_metrics(sweep: Any) -> None:
    add_grid(sweep, 0.1)
    effects = find(sweep)

    def primary(predictions: Predictions) -> float:
        return score_all(predictions)["balanced_accuracy"]

    for backbone in BACKBONES:
        expected = mean_difference(sweep, (backbone,), primary)
        assert only(effects.on_primary, backbone=backbone).difference == pytest.approx(expected, abs=1e-12)
    expected = mean_difference(sweep, BACKBONES, primary)
    assert only(effects.on_primary, backbone="all").difference == pytest.approx(expected, abs=1e-12)


def test_effects_on_recall_are_those_of_each_class(sweep: Any) -> None:
    add_grid(sweep, 0.1)
    effects = find(sweep)
    expected = mean_difference(sweep, BACKBONES, recall_by_class)
    assert [effect.class_name for effect in effects.on_recall] == ["ant", "bee", "cat"]
    assert [effect.difference for effect in effects.on_recall] == pytest.approx(list(expected), abs=1e-12)
    assert {(effect.backbone, effect.pairs, effect.metric) for effect in effects.on_recall} == {("all", 3, "recall")}
    assert all(-1 <= effect.low < effect.difference < effect.high <= 1 for effect in effects.on_recall)


def test_a_gain_in_one_class_is_found_there_and_nowhere_else(sweep: Any) -> None:
    sweep.add(0.7, seeds=(0, 1, 2))
    for seed in (3, 4, 5):
        plain, skilled = sweep.drawn.answers(0.7, seed), sweep.drawn.answers(0.98, seed)
        rare = plain.truth == 2
        probabilities = np.where(rare[:, None], skilled.probabilities, plain.probabilities)
        changed = Predictions(plain.images, plain.groups, plain.truth, probabilities, plain.classes)
        spec = sweep.records[0].spec.model_dump(mode="json")
        spec["weighting"]["name"], spec["seed"] = "balanced", seed
        sweep.add_run(spec, changed)
    verdicts = {effect.class_name: effect.verdict for effect in find(sweep).on_recall}
    assert verdicts == {"ant": "cannot tell", "bee": "cannot tell", "cat": "better"}


def test_an_absent_effect_is_covered(sweep: Any) -> None:
    add_grid(sweep, 0.0)
    effects = find(sweep)
    every = (*effects.on_primary, *effects.on_recall)
    assert {effect.verdict for effect in every} == {"cannot tell"}
    assert all(effect.low < 0 < effect.high for effect in every)


def test_candidates_are_matched_on_everything_else(sweep: Any) -> None:
    for size in (32, 64):
        for epochs in (3, 5):
            part = {"dataset": {"image_size": size}, "training": {"epochs": epochs}}
            sweep.add(0.6 + size / 400, **part)
            sweep.add(0.7 + size / 400, augmentation="flip", **part)
    effects = find(sweep)
    found = {(one.axis, one.level, one.reference, one.backbone, one.pairs) for one in effects.on_primary}
    assert found == {("augmentation", "flip", "none", "minivgg", 4), ("image_size", "64", "32", "minivgg", 4)}
    assert effects.unmatched == ()


def test_image_sizes_are_ordered_by_number(sweep: Any) -> None:
    for size in (224, 64, 96):
        sweep.add(0.7, dataset={"image_size": size})
    assert [(one.level, one.reference) for one in find(sweep).on_primary] == [("96", "64"), ("224", "64")]


def test_another_reference_can_be_asked_for(sweep: Any) -> None:
    for index, head in enumerate(("linear", "dense", "wide")):
        sweep.add(0.7, seeds=(index, index + 10), head=head)
    assert {(one.level, one.reference) for one in find(sweep).on_primary} == {("dense", "linear"), ("wide", "linear")}
    found = find(sweep, head="dense").on_primary
    assert {(one.level, one.reference) for one in found} == {("linear", "dense"), ("wide", "dense")}


@pytest.mark.parametrize(
    ("axis", "level", "message"),
    [
        ("hed", "dense", "did you mean 'head'"),
        ("head", "dens", "found no candidate with head=dens; expected one of dense, linear"),
        ("weighting", "balanced", "found no candidate with weighting=balanced; expected one of none"),
    ],
)
def test_a_reference_that_nobody_has_is_refused(sweep: Any, axis: str, level: str, message: str) -> None:
    sweep.add(0.7)
    sweep.add(0.7, head="dense")
    with pytest.raises(UnknownReference, match=message):
        find(sweep, **{axis: level})


def test_parts_of_one_name_and_other_content_are_levels_of_their_own(sweep: Any) -> None:
    sweep.add(0.7)
    for gamma in (1.0, 2.0):
        sweep.add(0.75, weighting={"name": "focal", "focal_gamma": gamma})
    levels = [effect.level for effect in find(sweep).on_primary]
    assert levels == ["focal (focal_gamma=1.0)", "focal (focal_gamma=2.0)"]


def test_without_the_usual_reference_the_most_frequent_level_takes_its_place(sweep: Any) -> None:
    for backbone in ("lenet", "minivgg"):
        sweep.add(0.7, backbone=backbone, weighting="oversample")
    sweep.add(0.7, backbone="lenet", weighting="focal")
    assert {effect.reference for effect in find(sweep).on_primary} == {"oversample"}


def test_candidates_without_a_partner_are_named(sweep: Any) -> None:
    add_grid(sweep, 0.1)
    alone = sweep.add(0.7, backbone="lenet", training={"epochs": 9}, weighting="balanced")
    sweep.add(0.7, backbone="xception")
    broken = sweep.add(backbone="xception", weighting="balanced", status="crashed")
    effects = find(sweep)
    assert only(effects.on_primary, backbone="all").pairs == 3
    reasons = {one.candidate: one.reason for one in effects.unmatched}
    assert reasons[alone] == "no candidate differs from it only in weighting=none"
    [partner] = [one.candidate for one in effects.unmatched if one.candidate != alone]
    assert partner.startswith("xception-linear-full-none")
    assert reasons[partner] == f"its partner {broken} is crashed"
    assert any(alone in sentence for sentence in effects.sentences)
    assert any(partner in sentence and broken in sentence for sentence in effects.sentences)


def test_of_many_candidates_without_a_partner_the_first_are_named_and_the_rest_counted(sweep: Any) -> None:
    add_grid(sweep, 0.1)
    for epochs in range(20, 27):
        sweep.add(0.7, backbone="lenet", training={"epochs": epochs}, weighting="balanced")
    effects = find(sweep)
    assert len(effects.unmatched) == 7
    said = [sentence for sentence in effects.sentences if sentence.startswith("Left out of")]
    assert [sum(one.candidate in sentence for sentence in said) for one in effects.unmatched] == [1] * 4 + [0] * 3
    assert said[-1] == "Left out of weighting balanced against none: 3 more; --format json names them all."


def test_failed_candidates_leave_an_axis_without_pairs_and_it_says_so(sweep: Any) -> None:
    sweep.add(0.7)
    sweep.add(weighting="balanced", status="oom")
    effects = find(sweep)
    assert effects.on_primary == effects.on_recall == ()
    expected = "No pair for weighting balanced against none: no two complete candidates differ in it alone."
    assert effects.sentences[0] == expected


def test_a_single_level_is_nothing_to_ask(sweep: Any) -> None:
    sweep.add(0.7)
    sweep.add(0.8, backbone="lenet")
    effects = find(sweep)
    assert effects.on_primary == ()
    assert effects.sentences[0].startswith("Nothing but the backbone varies")


def test_one_seed_is_said_to_speak_of_these_weights(sweep: Any) -> None:
    sweep.add(0.6, seeds=(0,))
    sweep.add(0.9, seeds=(0,), weighting="balanced")
    effects = find(sweep)
    assert only(effects.on_primary).verdict == "better"
    assert any(sentence.startswith("One seed") for sentence in effects.sentences)


def test_sides_with_the_same_answers_get_no_interval(sweep: Any) -> None:
    sweep.add(0.7, seeds=(0,))
    sweep.add(0.7, seeds=(0,), weighting="balanced")
    effect = only(find(sweep).on_primary)
    assert (effect.difference, effect.verdict, effect.p_value) == (0, "same answers", 1)
    assert np.isnan([effect.low, effect.high]).all()
    assert "weighting,balanced,none,minivgg,balanced_accuracy,,1,0.000000,,,1.000000,same answers" in effects_csv(
        find(sweep)
    )


def test_the_same_answers_of_seeds_that_differ_are_the_same_answers_too(sweep: Any) -> None:
    """All is alike but the seeds among themselves: no last bit of a sum decides."""
    sweep.add(0.7, seeds=(0, 1, 2))
    sweep.add(0.7, seeds=(0, 1, 2), weighting="balanced")
    effects = find(sweep)
    for effect in (*effects.on_primary, *effects.on_recall):
        assert (effect.difference, effect.verdict, effect.p_value) == (0, "same answers", 1)


def test_a_lower_log_loss_is_a_positive_effect(sweep: Any) -> None:
    sweep.add(0.6)
    sweep.add(0.9, seeds=(5, 6, 7), weighting="balanced")
    records = [record.model_copy(update={"primary": "log_loss"}) for record in sweep.records]
    effect = only(find_effects(records, sweep.predictions, "log_loss").on_primary)
    assert effect.verdict == "better"
    with pytest.raises(CannotRank):
        find_effects(records, sweep.predictions, "ece")


def test_the_same_results_give_the_same_text_in_any_order(sweep: Any) -> None:
    add_grid(sweep, 0.05)
    csv, markdown = effects_csv(find(sweep)), effects_markdown(find(sweep))
    sweep.records.reverse()
    assert effects_csv(find(sweep)) == csv
    assert effects_markdown(find(sweep)) == markdown
    assert csv.splitlines()[0] == "axis,level,reference,backbone,metric,class,pairs,difference,low,high,p_value,verdict"
    assert "## Recall" in markdown


def test_a_sweep_of_failures_says_that_nothing_is_complete(sweep: Any) -> None:
    for weighting in ("none", "balanced"):
        sweep.add(status="failed", weighting=weighting)
    [sentence] = find(sweep).sentences
    assert sentence.startswith("No candidate is complete (2 failed), so that nothing can be compared")
