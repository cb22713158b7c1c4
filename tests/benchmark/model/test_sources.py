from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from backbones import registry
from benchmark.model import augmentation, boundary, classifier, passes, seeds, settings, sources, steps
from benchmark.model.activations import Shelf
from benchmark.model.experiment import Data, Machine, Result, run
from benchmark.model.stages import Stage
from benchmark.model.study import Study, prepare
from benchmark.spec import RunSpec

SpecOf = Callable[..., RunSpec]
Draw = Callable[..., Data]
Part = Callable[..., dict[str, Any]]
Run = Callable[..., Result]

MIX = {"name": "mix", "layers": [{"MixUp": {"alpha": 5.0}}]}
BOUNDARIES = {"shallownet": (1,), "lenet": (2,), "minivgg": (3, 9), "mobilenetv3small": (4, 30), "resnet50v2": (6, 14)}


def settled(backbone: keras.Model) -> None:
    """Give an untrained network averages under which its outputs differ from picture to picture."""
    random = np.random.default_rng(0)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gain, shift, mean, variance = [*[None] * (4 - len(layer.weights)), *layer.get_weights()]
            mean, variance = random.normal(0, 0.1, mean.shape), random.uniform(0.02, 0.2, variance.shape)
            layer.set_weights([one for one in (gain, shift, mean, variance) if one is not None])


def study_of(spec: RunSpec, data: Data, folder: Path, limit: int | None = None) -> Study:
    return prepare(spec, data, Machine(None, folder, 2, limit))


def backbones() -> list[tuple[str, str, tuple[int, ...]]]:
    """Every backbone with its first pooling and some numbers of layers that learn; a small one with all poolings."""
    names = [name for name in registry.names() if name != registry.ANY_APPLICATION]
    found = [(name, registry.find(name).poolings[0], BOUNDARIES.get(name, (5,))) for name in names]
    return [*found, ("mobilenetv3small", "max", ()), ("mobilenetv3small", "flatten", (4,))]


@pytest.mark.parametrize(("name", "pooling", "numbers"), backbones())
def test_activations_and_what_stands_above_them_are_the_whole_network(
    name: str, pooling: str, numbers: tuple[int, ...], spec_of: SpecOf, tmp_path: Path
) -> None:
    size = max(32, registry.find(name).minimum_size)
    pixels = np.random.default_rng(0).integers(0, 256, (6, size, size, 3), dtype=np.uint8)
    pixels[::2] //= 3
    built = classifier.build(spec_of(name, size, pooling=pooling), 3, None, None)
    settled(built.backbone)
    whole = steps.predictor(boundary.Split(None, built.logits), steps.batches_of(pixels)).on(pixels)(np.arange(6))
    assert np.ptp(whole, axis=0).max() > 1e-3, "every picture looks alike: the comparison would prove nothing"
    for last in (None, *numbers):
        split = boundary.split(built, Stage("last_n" if last else "frozen", last, 1, 0.001))
        computation = sources.Computation(6, split.shapes, 0, {}, passes.plain(split.below, pixels))
        found = Shelf(tmp_path, None).load_or_compute({"last": last}, lambda: computation)  # noqa: B023
        predict = steps.predictor(split.unpacking(), steps.batches_of(found.values)).on(found.values)
        scale = max(1.0, float(np.abs(whole).max()))
        np.testing.assert_allclose(predict(np.arange(6)) / scale, whole / scale, atol=1e-4, err_msg=f"last {last}")


def test_a_residual_boundary_keeps_both_tensors(spec_of: SpecOf) -> None:
    built = classifier.build(spec_of("resnet50v2", 32), 3, None, None)
    split = boundary.split(built, Stage("last_n", 6, 1, 0.001))
    assert len(split.shapes) == 2


def test_plain_passes_give_what_the_network_gives_in_inference_mode(
    spec_of: SpecOf, drawn: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "predicted_batch", lambda pixels: 64)
    backbone, pixels = classifier.build(spec_of("minivgg"), 3, None, None).backbone, drawn().pixels
    batches = list(passes.plain(backbone, pixels))
    assert [len(batch.rows) for batch in batches] == [64, 64, 64, 8]
    expected = backbone(pixels.astype(np.float32), training=False).numpy()
    assert np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(np.concatenate([batch.values for batch in batches]), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["lenet", "mobilenetv3small"])
def test_batches_that_pass_at_once_give_the_bits_of_batches_in_turn(
    name: str, spec_of: SpecOf, drawn: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "predicted_batch", lambda pixels: 16)
    backbone, data = classifier.build(spec_of(name, 32), 3, None, None).backbone, drawn(32)
    settled(backbone)
    training = passes.Training(data.train, data.labels[data.train], len(data.classes))
    layers = spec_of(augmentation="light").augmentation
    found = []
    for at_once in (1, 2):
        monkeypatch.setattr(settings, "concurrent", lambda number=at_once: number)
        random = augmentation.build(layers, passes.VIEWS_SEED, data.pixels.shape[1])
        plain = [batch.values for batch in passes.plain(backbone, data.pixels)]
        views = [batch.values for batch in passes.augmented(backbone, random, data.pixels, training, 2)]
        found.append(np.concatenate([*plain, *views]))
    assert np.ptp(found[0], axis=0).max() > 0.01
    np.testing.assert_array_equal(found[0], found[1])


CHOICES = [
    ("frozen", {}),
    ("last_n", {"last_n": 4}),
    ("staged", {"frozen_epochs": 2, "last_n": 4}),
    ("staged", {"frozen_epochs": 2, "last_n": None}),
]


@pytest.mark.parametrize(("mode", "changes"), CHOICES)
def test_a_run_on_kept_activations_gives_what_the_whole_network_gives(
    mode: str, changes: dict[str, Any], spec_of: SpecOf, drawn: Draw, conf_part: Part, tmp_path: Path
) -> None:
    finetune = conf_part("finetune", mode, **changes)
    spec = spec_of("minivgg", finetune=finetune, head="dense", epochs=4)
    assert spec.head.dropout > 0
    data, rows = drawn(), list[Any]()
    kept = run(spec, data, Machine(None, tmp_path / "roomy", 2), rows.append)
    whole = run(spec, data, Machine(None, tmp_path / "tight", 2, 1000), rows.append)
    assert kept.path == "cached"
    assert whole.path == "whole"
    assert "machine.cache_limit_gb" in whole.notes[-1]
    assert not list((tmp_path / "tight").rglob("*.npy"))
    assert np.ptp(kept.test, axis=0).max() > 0.01
    np.testing.assert_allclose(kept.test, whole.test, atol=1e-4)
    np.testing.assert_allclose(kept.val, whole.val, atol=1e-4)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(("mode", "changes", "pooling"), [("frozen", {}, "max"), ("last_n", {"last_n": 3}, "flatten")])
def test_a_pretrained_architecture_learns_the_same_from_kept_activations_and_from_pictures(
    mode: str, changes: dict[str, Any], pooling: str, spec_of: SpecOf, drawn: Draw, conf_part: Part, tmp_path: Path
) -> None:
    finetune = conf_part("finetune", mode, **changes)
    spec = spec_of("mobilenetv3small", 32, finetune=finetune, pooling=pooling)
    backbone = classifier.build(spec, 3, None, None).backbone
    settled(backbone)
    backbone.save_weights(tmp_path / "x.weights.h5")
    data, found = drawn(32), []
    for folder, limit in (("roomy", None), ("tight", 1000)):
        machine = Machine(tmp_path / "x.weights.h5", tmp_path / folder, 2, limit)
        found.append(run(pretrained(spec), data, machine, lambda row: None))
    kept, whole = found
    assert (kept.path, whole.path) == ("cached", "whole")
    assert kept.history["train_loss"].is_monotonic_decreasing
    assert np.ptp(kept.test, axis=0).max() > 0.01
    np.testing.assert_allclose(kept.test, whole.test, atol=1e-4)
    np.testing.assert_allclose(kept.val, whole.val, atol=1e-4)


@pytest.fixture
def viewed(spec_of: SpecOf, drawn: Draw, tmp_path: Path) -> Study:
    spec = spec_of(
        "lenet", finetune="frozen", augmentation="light", augmented_views=3, epochs=3, weighting="oversample"
    )
    return study_of(spec, drawn(), tmp_path)


def split_of(study: Study) -> boundary.Split:
    return boundary.split(study.blueprint.build(), study.stages[0])


def test_views_are_augmented_pictures_seen_through_the_frozen_part(viewed: Study, drawn: Draw) -> None:
    split = split_of(viewed)
    kept = sources.keep(viewed, viewed.stages[0], lambda: split)
    assert kept.views is not None
    assert kept.views.values.shape == (3 * 130, kept.plain.values.shape[1])
    random = augmentation.build(viewed.spec.augmentation, passes.VIEWS_SEED, 16)
    order = np.random.default_rng(passes.derive(passes.VIEWS_SEED, 0)).permutation(130)
    images = tf.cast(drawn().pixels[viewed.data.train[order]], tf.float32)
    seen = random(augmentation.Batch(images, tf.zeros((130, 3)))).images
    assert split.below is not None
    expected = split.below(seen, training=False).numpy()
    np.testing.assert_allclose(kept.views.values[:130][order], expected, atol=1e-4)
    assert not np.allclose(kept.views.values[:130], kept.views.values[130:260], atol=1e-3)


def test_every_epoch_sees_each_picture_as_often_as_its_order_says_in_views_drawn_anew(viewed: Study) -> None:
    source = sources.source(viewed, viewed.stages[0], lambda: split_of(viewed))
    orders = [source.order(epoch) for epoch in range(1, 41)]
    for epoch, order in enumerate(orders, start=1):
        np.testing.assert_array_equal(order % 130, viewed.order(epoch))
        np.testing.assert_array_equal(source.examples.targets[order], viewed.data.labels[viewed.order(epoch)])
    share = np.bincount(np.concatenate(orders) // 130, minlength=3) / sum(map(len, orders))
    np.testing.assert_allclose(share, 1 / 3, atol=0.02)
    again = [order // 130 for order in orders]
    assert not np.array_equal(again[0], again[1])


def test_seeds_draw_their_views_apart(spec_of: SpecOf) -> None:
    assert not np.array_equal(seeds.drawn_views(0, 1, 100, 8), seeds.drawn_views(1, 1, 100, 8))
    np.testing.assert_array_equal(seeds.drawn_views(0, 1, 100, 8), seeds.drawn_views(0, 1, 100, 8))


def test_mixed_labels_are_kept_beside_the_views(spec_of: SpecOf, drawn: Draw, tmp_path: Path) -> None:
    spec = spec_of("lenet", finetune="frozen", augmentation=MIX, augmented_views=2)
    study = study_of(spec, drawn(), tmp_path)
    source = sources.source(study, study.stages[0], lambda: split_of(study))
    targets = source.examples.targets
    assert targets.shape == (260, 3)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    labels = np.tile(study.data.labels[study.data.train], 2)
    own = targets[np.arange(260), labels]
    # Class 0 has 60 % of the pictures: a partner of the same class leaves the label as it is.
    assert 0.3 < (own < 0.99).mean() < 0.9
    assert source.inputs.shape == (200, source.examples.inputs.shape[1])


@pytest.mark.parametrize("augmentation", ["light", MIX], ids=["light", "mixup"])
@pytest.mark.parametrize("mode", ["frozen", "last_n", "staged"])
def test_views_train_every_kind_of_partly_frozen_network(
    mode: str, augmentation: Any, spec_of: SpecOf, drawn: Draw, conf_part: Part, tmp_path: Path
) -> None:
    changes = {"frozen": {}, "last_n": {"last_n": 4}, "staged": {"frozen_epochs": 3}}[mode]
    finetune = conf_part("finetune", mode, **changes)
    choices = {"finetune": finetune, "augmentation": augmentation, "epochs": 6, "batch_size": 16}
    machine = Machine(None, tmp_path, 2)
    result = run(spec_of("lenet", augmented_views=4, **choices), drawn(), machine, lambda row: None)
    assert result.path == "cached"
    assert len(list((tmp_path / "features").glob("*.npy"))) == 2
    losses = result.history["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0] - 0.02
    fresh = run(spec_of("lenet", augmented_views=0, **choices), drawn(), machine, lambda row: None)
    assert fresh.path == "whole"
    np.testing.assert_allclose(losses, fresh.history["train_loss"], rtol=0.1, atol=0.06)
    np.testing.assert_allclose(result.history["val_loss"], fresh.history["val_loss"], rtol=0.1, atol=0.1)


def test_without_views_augmentation_happens_on_the_fly(spec_of: SpecOf, drawn: Draw, tmp_path: Path) -> None:
    spec = spec_of("lenet", finetune="frozen", augmentation="flip", augmented_views=0)
    result = run(spec, drawn(), Machine(None, tmp_path, 2), lambda row: None)
    assert result.path == "whole"
    assert not (tmp_path / "features").exists()


def test_whitening_alone_needs_no_views_and_is_part_of_what_is_kept(
    spec_of: SpecOf, drawn: Draw, tmp_path: Path
) -> None:
    specs = [spec_of("lenet", finetune="frozen", augmentation=name, epochs=1) for name in ("zca", "none")]
    found = [run(spec, drawn(), Machine(None, tmp_path, 2), lambda row: None) for spec in specs]
    assert len(list((tmp_path / "features").glob("*.npy"))) == 2
    assert not np.array_equal(found[0].test, found[1].test)


def pretrained(spec: RunSpec) -> RunSpec:
    backbone = spec.backbone.model_copy(update={"weights": "x.h5@sha256:01234567"})
    return spec.model_copy(update={"backbone": backbone})


def test_runs_share_entries_exactly_when_the_frozen_part_sees_the_same(
    spec_of: SpecOf, drawn: Draw, conf_part: Part, tmp_path: Path
) -> None:
    def entries(**choices: Any) -> str:
        study = study_of(pretrained(spec_of("minivgg", **choices)), drawn(), tmp_path)
        return repr((sources.identity(study, study.stages[0]), sources._views_identity(study)))

    base = {"finetune": "frozen", "augmentation": "flip"}
    same: list[dict[str, Any]] = [
        {"seed": 3},
        {"head": "dense"},
        {"weighting": "focal"},
        {"learning_rate": 0.1},
        {"batch_size": 8},
        {"finetune": conf_part("finetune", "staged", frozen_epochs=1)},
    ]
    other: list[dict[str, Any]] = [
        {"augmentation": "light"},
        {"augmented_views": 3},
        {"image_size": 32},
        {"finetune": conf_part("finetune", "last_n", last_n=2)},
    ]
    assert {entries(**{**base, **change}) for change in same} == {entries(**base)}
    assert len({entries(**{**base, **change}) for change in other}) == len(other)
