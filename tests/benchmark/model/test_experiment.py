import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from benchmark import metrics
from benchmark.model import boundary, classifier, experiment, stacked_learner
from benchmark.model.experiment import Data, Machine, Result
from benchmark.model.training import Diverged
from benchmark.spec import RunSpec
from benchmark.weighting import AbsentClass

SpecOf = Callable[..., RunSpec]
Draw = Callable[..., Data]
Run = Callable[..., Result]
Part = Callable[..., dict[str, Any]]

# A change that changes nothing: pictures go through the frozen backbone again in every epoch.
IDENTITY = {"name": "identity", "layers": [{"RandomGain": {"low": 1.0, "high": 1.0}}]}
FROZEN_KINDS = [("lenet", "dense", "focal"), ("minivgg", "wide", "balanced")]
REPEATED = ["full", "frozen", "staged"]
STACK: list[dict[str, Any]] = [
    {},
    {"seed": 1},
    {"head": "dense"},
    {"weighting": "focal", "learning_rate": 0.01},
    {"weighting": "oversample"},
    {"batch_size": 16, "label_smoothing": 0.1},
    {"seed": 1, "augmentation": "zca"},
    {"finetune": "full"},
]


def test_a_net_learns_what_is_drawn(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    result = run(spec_of("lenet", epochs=6, batch_size=16), drawn())
    assert (result.test.argmax(axis=1) == drawn().labels[drawn().test]).mean() > 0.95
    assert result.history["train_loss"].is_monotonic_decreasing
    assert result.epochs == 6
    assert result.class_weights == {"red": 1, "green": 1, "blue": 1}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_model_gives_the_predictions_of_the_run(spec_of: SpecOf, drawn: Draw, run: Run, tmp_path: Path) -> None:
    data = drawn()
    result = run(spec_of("minivgg", finetune="frozen", head="dense"), data)
    result.model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for model in (result.model.build(), loaded):
        found = model(data.pixels[data.test].astype(np.float32), training=False).numpy()
        np.testing.assert_allclose(found, result.test, atol=1e-5)


@pytest.mark.parametrize(("backbone", "head", "weighting"), FROZEN_KINDS)
def test_cached_features_give_what_the_whole_frozen_model_gives(
    backbone: str, head: str, weighting: str, spec_of: SpecOf, drawn: Draw, run: Run, conf_part: Part
) -> None:
    data = drawn()
    # Heads on features that do not change draw what dropout drops in a way of their own.
    plain = conf_part("head", head, dropout=0.0, hidden_dropout=0.0)
    choices = {"finetune": "frozen", "head": plain, "weighting": weighting, "epochs": 4}
    cached = run(spec_of(backbone, **choices), data)
    whole = run(spec_of(backbone, augmentation=IDENTITY, augmented_views=0, **choices), data)
    assert cached.seconds.features > 0
    assert whole.seconds.features == 0
    assert np.ptp(cached.test, axis=0).max() > 0.01, "every picture looks alike: the comparison would prove nothing"
    np.testing.assert_allclose(cached.test, whole.test, atol=1e-4)
    np.testing.assert_allclose(cached.val, whole.val, atol=1e-4)


@pytest.mark.parametrize("finetune", REPEATED)
def test_the_same_spec_gives_the_same_bits_whatever_ran_before(
    finetune: str, spec_of: SpecOf, drawn: Draw, run: Run, conf_part: Part
) -> None:
    staged = conf_part("finetune", "staged", frozen_epochs=1)
    spec = spec_of("minivgg", finetune=staged if finetune == "staged" else finetune, augmentation="light")
    first = run(spec, drawn())
    run(spec_of("lenet", seed=3, augmentation="mixup", epochs=1), drawn())
    again = run(spec, drawn())
    np.testing.assert_array_equal(first.test, again.test)
    columns = [column for column in first.history if column != "seconds"]
    assert first.history[columns].equals(again.history[columns])


def test_another_process_gives_the_same_bits(spec_of: SpecOf, drawn: Draw, run: Run, tmp_path: Path) -> None:
    script = """
import runpy, sys
from pathlib import Path
tests = runpy.run_path(sys.argv[1])
tests["configure"](tests["SETTINGS"])
spec = tests["make_spec"]("minivgg", augmentation="light")
tests["np"].save(sys.argv[2], tests["carry_out"](spec, tests["draw"](), Path(sys.argv[3])).test)
"""
    conftest = Path(__file__).with_name("conftest.py")
    target = tmp_path / "test.npy"
    subprocess.run([sys.executable, "-c", script, str(conftest), str(target), str(tmp_path)], check=True)
    np.testing.assert_array_equal(np.load(target), run(spec_of("minivgg", augmentation="light"), drawn()).test)


def test_a_stack_killed_while_it_trains_is_done_again_to_the_same_bits(
    spec_of: SpecOf, drawn: Draw, run: Run, tmp_path: Path
) -> None:
    script = """
import runpy, sys, time
from pathlib import Path
tests = runpy.run_path(sys.argv[1])
tests["configure"](tests["SETTINGS"])

def stay(place, row):
    print(row["epoch"], flush=True)
    time.sleep(600)

specs = [tests["make_spec"]("lenet", seed=5, finetune="frozen", head="dense", learning_rate=r) for r in (0.001, 0.01)]
experiment = tests["experiment"]
experiment.run_stack(specs, tests["draw"](), experiment.Machine(None, Path(sys.argv[2]), 2), stay)
"""
    conftest, killed = str(Path(__file__).with_name("conftest.py")), tmp_path / "killed"
    child = subprocess.Popen([sys.executable, "-c", script, conftest, str(killed)], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "1\n"
        child.kill()
    choices = {"seed": 5, "finetune": "frozen", "head": "dense"}
    specs = [spec_of("lenet", learning_rate=rate, **choices) for rate in (0.001, 0.01)]
    again = experiment.run_stack(specs, drawn(), Machine(None, killed, 2), lambda place, row: None)
    for spec, one in zip(specs, again, strict=True):
        assert isinstance(one, Result)
        assert one.notes == ("the backbone is frozen with random weights: only the head has learned",)
        np.testing.assert_array_equal(one.test, run(spec, drawn()).test)


def test_another_seed_gives_another_result(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    assert not np.array_equal(run(spec_of(seed=0), drawn()).test, run(spec_of(seed=1), drawn()).test)


def test_the_best_epoch_is_restored_not_the_last(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    data = drawn(confusion=0.9)
    long = run(spec_of("lenet", epochs=12, learning_rate=3e-3), data)
    assert long.best_epoch == long.history["val_loss"].idxmin() + 1
    assert 1 <= long.best_epoch < 12, "the case must overfit"
    short = run(spec_of("lenet", epochs=long.best_epoch, learning_rate=3e-3), data)
    np.testing.assert_array_equal(long.test, short.test)
    best = long.history.iloc[long.best_epoch - 1]
    accuracy = (long.val.argmax(axis=1) == data.labels[data.val]).mean()
    assert best["val_accuracy"] == pytest.approx(accuracy)


def test_validation_is_never_weighted(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    data = drawn()
    result = run(spec_of(weighting="balanced"), data)
    truth = result.val[np.arange(len(data.val)), data.labels[data.val]]
    assert result.history["val_loss"].min() == pytest.approx(-np.log(truth).mean(), rel=1e-4)
    counts = np.bincount(data.labels[data.train])
    assert result.class_weights["blue"] == pytest.approx(130 / (3 * counts[2]))
    assert (result.history["train_loss"] != result.history["train_loss_weighted"]).all()


def test_the_history_has_every_metric_of_validation(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    seen: list[dict[str, float | int]] = []
    history = run(spec_of(), drawn(), seen.append).history
    first = ["epoch", "stage", "learning_rate", "train_loss", "train_loss_weighted", "train_accuracy", "val_loss"]
    assert list(history) == [*first, *(f"val_{name}" for name in metrics.names()), "seconds"]
    assert history.to_dict("records") == seen
    assert history["val_log_loss"].tolist() == pytest.approx(history["val_loss"].tolist(), rel=1e-4)


def test_the_monitor_chooses_by_its_direction_and_ties_go_to_the_earlier_epoch(
    spec_of: SpecOf, drawn: Draw, run: Run
) -> None:
    result = run(spec_of(epochs=6, monitor="val_balanced_accuracy"), drawn())
    values = result.history["val_balanced_accuracy"]
    assert result.best_epoch == values.idxmax() + 1
    assert (values == values.max()).sum() > 1, "the case must have a tie"


def test_training_stops_when_patience_runs_out(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    result = run(spec_of("lenet", epochs=30, learning_rate=3e-3, patience=2), drawn(confusion=0.9))
    assert result.epochs == result.best_epoch + 2 < 30


def test_a_diverging_run_says_so(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    with pytest.raises(Diverged, match=r"train_loss = nan in epoch 1 at a learning rate of 1e\+25.*lower training"):
        run(spec_of("shallownet", learning_rate=1e25, optimizer="sgd"), drawn())


def test_ruined_weights_behind_a_finite_loss_are_noticed(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    rows: list[dict[str, float | int]] = []
    with pytest.raises(Diverged, match="weights that are NaN or infinite after epoch 1"):
        run(spec_of("lenet", learning_rate=1e25, optimizer="sgd"), drawn(), rows.append)
    assert rows == []


def backbone_weights(spec: RunSpec, result: Result) -> list[tuple[str, bool]]:
    """Of every layer of the backbone with weights: its name and whether they differ from the initial ones."""
    fresh = classifier.build(spec, 3, None, None)
    found = []
    for layer in fresh.backbone.layers:
        if layer.weights:
            trained = result.model.build().get_layer(layer.name).get_weights()
            same = all(np.array_equal(*pair) for pair in zip(layer.get_weights(), trained, strict=True))
            found.append((layer.name, not same))
    return found


@pytest.mark.parametrize("augmentation", ["none", "flip"])
def test_a_frozen_backbone_keeps_its_weights_and_its_batch_statistics(
    augmentation: str, spec_of: SpecOf, drawn: Draw, run: Run
) -> None:
    spec = spec_of("minivgg", finetune="frozen", augmentation=augmentation)
    result = run(spec, drawn())
    assert not any(changed for _, changed in backbone_weights(spec, result))
    assert result.notes == ("the backbone is frozen with random weights: only the head has learned",)


def test_only_the_last_layers_change_and_the_statistics_before_them_stay(
    spec_of: SpecOf, drawn: Draw, run: Run, conf_part: Part
) -> None:
    spec = spec_of("minivgg", finetune=conf_part("finetune", "last_n", last_n=9), head="dense")
    result = run(spec, drawn())
    changed = dict(backbone_weights(spec, result))
    built = classifier.build(spec, 3, None, None)
    learning = {layer.name for layer in boundary.last_layers(built.backbone, 9) if layer.weights}
    assert len(learning) == 5
    assert {name for name, differs in changed.items() if differs} == learning


def test_everything_changes_when_everything_learns(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    spec = spec_of("minivgg")
    assert all(changed for _, changed in backbone_weights(spec, run(spec, drawn())))


def test_staged_training_freezes_first_and_then_learns_slower(
    spec_of: SpecOf, drawn: Draw, run: Run, conf_part: Part
) -> None:
    staged = conf_part("finetune", "staged", frozen_epochs=2, learning_rate_factor=0.1)
    head = conf_part("head", "linear", dropout=0.0)
    result = run(spec_of("minivgg", finetune=staged, head=head, epochs=5), drawn())
    assert result.history["stage"].tolist() == [1, 1, 2, 2, 2]
    assert result.history["learning_rate"].tolist() == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-4])
    frozen = run(spec_of("minivgg", finetune="frozen", head=head, epochs=2), drawn())
    assert result.history["val_loss"][:2].tolist() == pytest.approx(frozen.history["val_loss"].tolist(), abs=1e-4)
    assert result.best_epoch == result.history["val_loss"].idxmin() + 1


def test_the_best_epoch_of_the_first_stage_brings_back_the_untouched_backbone(
    spec_of: SpecOf, drawn: Draw, run: Run, conf_part: Part
) -> None:
    staged = conf_part("finetune", "staged", frozen_epochs=2, learning_rate_factor=300.0)
    spec = spec_of("minivgg", finetune=staged, epochs=3)
    result = run(spec, drawn())
    assert result.best_epoch <= 2, "the second stage must do harm"
    assert not any(changed for _, changed in backbone_weights(spec, result))


MISTAKES = [
    ({"monitor": "val_acuracy"}, "did you mean 'val_accuracy'"),
    ({"augmentation": {"name": "x", "layers": [{"RandomFip": {}}]}}, "did you mean 'RandomFlip'"),
    ({"augmentation": {"name": "x", "layers": [{"ZCAWhitening": {"patch": 2}}]}}, "ZCAWhitening"),
]


@pytest.mark.parametrize(("choices", "message"), MISTAKES)
def test_a_mistake_is_found_before_anything_is_computed(
    choices: dict[str, Any], message: str, spec_of: SpecOf, drawn: Draw, tmp_path: Path
) -> None:
    spec = spec_of("minivgg", **{"finetune": "frozen", **choices})
    with pytest.raises(ValueError, match=message) as caught:
        experiment.run(spec, drawn(), Machine(None, tmp_path, 2), lambda row: None)
    assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_a_class_without_training_pictures_ends_the_run_with_its_name(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    data = drawn()
    without_blue = data._replace(train=data.train[data.labels[data.train] != 2])
    with pytest.raises(AbsentClass, match="no training picture of blue"):
        run(spec_of(), without_blue)


def test_a_first_stage_that_leaves_no_epoch_is_refused(spec_of: SpecOf) -> None:
    with pytest.raises(ValidationError, match=r"finetune.frozen_epochs=3 of training.epochs=3"):
        spec_of(finetune="staged", epochs=3)


def test_oversampling_balances_what_is_seen(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    data = drawn()
    result = run(spec_of(weighting="oversample", epochs=4), data)
    assert set(result.class_weights.values()) == {1.0}
    assert result.history["train_loss"].tolist() == result.history["train_loss_weighted"].tolist()


def test_a_stack_gives_each_spec_the_bits_it_gets_alone(spec_of: SpecOf, drawn: Draw, run: Run, tmp_path: Path) -> None:
    specs = [spec_of("minivgg", **{"finetune": "frozen", "epochs": 3, **choices}) for choices in STACK]
    rows: list[list[dict[str, float | int]]] = [[] for _ in specs]
    found = experiment.run_stack(specs, drawn(), Machine(None, tmp_path, 2), lambda place, row: rows[place].append(row))
    for spec, stacked, told in zip(specs, found, rows, strict=True):
        alone = run(spec, drawn())
        assert isinstance(stacked, Result)
        np.testing.assert_array_equal(stacked.test, alone.test)
        np.testing.assert_array_equal(stacked.val, alone.val)
        columns = [column for column in alone.history if column != "seconds"]
        assert stacked.history[columns].equals(alone.history[columns])
        assert stacked.history.to_dict("records") == told
        assert (stacked.parameters, stacked.class_weights, stacked.notes) == (
            alone.parameters,
            alone.class_weights,
            alone.notes,
        )
        assert stacked.best_epoch == alone.best_epoch
    assert {one.path for one in found if isinstance(one, Result)} == {"stacked", "cached", "whole"}


def test_augmented_heads_stack_on_the_same_views(spec_of: SpecOf, drawn: Draw, run: Run, tmp_path: Path) -> None:
    choices = [{"learning_rate": rate, "weighting": rule} for rate in (0.001, 0.01) for rule in ("none", "balanced")]
    specs = [spec_of("minivgg", finetune="frozen", augmentation="flip", augmented_views=2, **one) for one in choices]
    found = experiment.run_stack(specs, drawn(), Machine(None, tmp_path, 2), lambda place, row: None)
    for spec, stacked in zip(specs, found, strict=True):
        assert isinstance(stacked, Result)
        assert stacked.path == "stacked"
        np.testing.assert_array_equal(stacked.test, run(spec, drawn()).test)
    assert len(list((tmp_path / "features").glob("*.npy"))) == 2


def test_a_member_that_diverges_or_is_mistaken_does_not_disturb_the_others(
    spec_of: SpecOf, drawn: Draw, run: Run, tmp_path: Path
) -> None:
    choices: list[dict[str, Any]] = [{}, {"learning_rate": 1e38, "optimizer": "sgd"}, {"monitor": "val_acuracy"}]
    specs = [spec_of("minivgg", **{"finetune": "frozen", "optimizer": "sgd", **one}) for one in choices]
    found = experiment.run_stack(specs, drawn(), Machine(None, tmp_path, 2), lambda place, row: None)
    assert isinstance(found[0], Result)
    np.testing.assert_array_equal(found[0].test, run(specs[0], drawn()).test)
    assert isinstance(found[1], Diverged)
    assert "did you mean 'val_accuracy'" in str(found[2])


@pytest.mark.parametrize("head", ["linear", "wide", "dense_bn"])
def test_the_size_of_a_frozen_network_is_that_of_its_model(head: str, spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    spec = spec_of("minivgg", finetune="frozen", head=head, epochs=1)
    built = classifier.build(spec, 3, None, None)
    boundary.split(built, experiment.prepare(spec, drawn(), Machine(None, Path(), 2)).stages[0])
    assert run(spec, drawn()).parameters == classifier.parameters(built)


@pytest.mark.parametrize("resident", [True, False], ids=["resident", "streamed"])
def test_room_in_the_cache_decides_how_long_heads_take_but_not_what_they_learn(
    resident: bool, spec_of: SpecOf, drawn: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices: list[dict[str, Any]] = [{}, {"learning_rate": 0.01, "weighting": "balanced"}, {"head": "wide"}]
    specs = [spec_of("lenet", **{"finetune": "frozen", "head": "dense", **one}) for one in choices]
    assert all(spec.head.dropout > 0 for spec in specs)
    roomy, tight = Machine(None, tmp_path / "roomy", 2), Machine(None, tmp_path / "tight", 2, 1000)
    kept = experiment.run_stack(specs, drawn(), roomy, lambda place, row: None)
    if not resident:
        monkeypatch.setattr(stacked_learner, "RESIDENT_BYTES", 0)
        monkeypatch.setattr(stacked_learner, "BLOCK_BYTES", 2**16)
    found = experiment.run_stack(specs, drawn(), tight, lambda place, row: None)
    assert not list((tmp_path / "tight").rglob("*.npy"))
    for one, other in zip(found, kept, strict=True):
        assert isinstance(one, Result)
        assert isinstance(other, Result)
        assert (one.path, one.parameters, one.best_epoch) == ("whole", other.parameters, other.best_epoch)
        assert one.notes[:-1] == other.notes
        assert "raise machine.cache_limit_gb; they were computed again" in one.notes[-1]
        assert np.ptp(other.test, axis=0).max() > 0.01
        np.testing.assert_allclose(one.test, other.test, atol=1e-4)
        np.testing.assert_allclose(one.val, other.val, atol=1e-4)
        np.testing.assert_array_equal(one.test.argmax(axis=1), other.test.argmax(axis=1))


def test_views_without_room_are_drawn_anew_every_epoch_and_the_note_says_that_numbers_differ(
    spec_of: SpecOf, drawn: Draw, tmp_path: Path
) -> None:
    choices = [{"learning_rate": rate} for rate in (0.001, 0.01)]
    specs = [spec_of("lenet", finetune="frozen", augmentation="flip", epochs=1, **one) for one in choices]
    found = experiment.run_stack(specs, drawn(), Machine(None, tmp_path, 2, 1000), lambda place, row: None)
    for one in found:
        assert isinstance(one, Result)
        assert one.path == "whole"
        assert len(one.notes) == 2
        assert "gives other numbers than with room in the cache" in one.notes[-1]
