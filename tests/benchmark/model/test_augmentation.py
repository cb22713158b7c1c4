from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

from benchmark.model import augmentation, distortions, whitening
from benchmark.model.augmentation import Augmentation, Batch, InvalidAugmentation
from benchmark.spec import AugmentationSpec

CONF = Path(__file__).parents[3] / "conf" / "augmentation"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))
SIZE = 32
Part = Callable[..., dict[str, Any]]


def picture() -> np.ndarray:
    """A drawn picture without any symmetry, uint8."""
    image = Image.new("RGB", (SIZE, SIZE), (120, 140, 160))
    draw = ImageDraw.Draw(image)
    draw.rectangle((3, 5, 14, 11), fill=(200, 30, 20))
    draw.ellipse((15, 14, 28, 30), fill=(20, 180, 60))
    draw.line((2, 29, 12, 18), fill=(240, 240, 40), width=3)
    return np.array(image)


SAME = np.repeat(picture()[None], 16, axis=0)


def made(*layers: dict[str, dict[str, Any]], seed: int = 0) -> Augmentation:
    return augmentation.build(AugmentationSpec(name="x", layers=layers), seed, SIZE)


def named(name: str, part: Part, seed: int = 0) -> Augmentation:
    return augmentation.build(AugmentationSpec(**part("augmentation", name)), seed, SIZE)


def batch_of(images: np.ndarray, classes: int = 3) -> Batch:
    return Batch(tf.constant(images, tf.float32), tf.one_hot(np.arange(len(images)) % classes, classes))


def compiled(one: Augmentation) -> Callable[[Batch], Batch]:
    return tf.function(one.__call__, autograph=False, jit_compile=False)


RANDOM_NAMES = [name for name in NAMES if name not in ("none", "zca")]


@pytest.mark.parametrize("name", NAMES)
def test_pictures_keep_their_size_their_range_and_their_number(name: str, conf_part: Part) -> None:
    assert conf_part("augmentation", name)["name"] == name
    change = compiled(named(name, conf_part))
    noise = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3))
    found = change(batch_of(noise))
    assert found.images.shape == (5, SIZE, SIZE, 3)
    assert found.images.dtype == tf.float32
    assert float(tf.reduce_min(found.images)) >= 0
    assert 30 < float(tf.reduce_max(found.images)) <= 255
    np.testing.assert_allclose(tf.reduce_sum(found.targets, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in RANDOM_NAMES if name not in ("mixup", "cutmix")])
def test_alike_pictures_of_one_batch_are_changed_differently(name: str, conf_part: Part) -> None:
    images = compiled(named(name, conf_part))(batch_of(SAME)).images.numpy()
    kinds = len(np.unique(images.reshape(16, -1).round(2), axis=0))
    assert kinds == 2 if name == "flip" else kinds >= 8


@pytest.mark.parametrize("name", RANDOM_NAMES)
def test_the_seed_decides_and_every_batch_is_another(name: str, conf_part: Part) -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, SIZE, SIZE, 3))
    sequences = []
    for seed in (3, 3, 4):
        change = compiled(named(name, conf_part, seed))
        sequences.append([change(batch_of(images)).images.numpy() for _ in range(2)])
    np.testing.assert_array_equal(sequences[0], sequences[1])
    assert not np.array_equal(sequences[0][0], sequences[2][0])
    assert not np.array_equal(sequences[0][0], sequences[0][1])


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_labels_are_mixed_in_the_share_of_the_pictures(name: str, conf_part: Part) -> None:
    plain = np.repeat(np.array([0, 100, 200])[:, None, None, None], 3, axis=3) * np.ones((1, SIZE, SIZE, 1))
    found = compiled(named(name, conf_part))(batch_of(np.tile(plain, (20, 1, 1, 1))))
    grey = found.images.numpy().mean(axis=(1, 2, 3))
    expected = found.targets.numpy() @ [0, 100, 200]
    tolerance = 0.5 if name == "mixup" else 200 * 3 / SIZE
    np.testing.assert_allclose(grey, expected, atol=tolerance)
    assert ((found.targets.numpy() > 0.02) & (found.targets.numpy() < 0.98)).any()


@pytest.mark.parametrize("layer", [{"CutMix": {"factor": [0.0, 0.0]}}, {"MixUp": {"alpha": 0.001}}])
def test_tiny_alphas_give_no_undefined_shares(layer: dict[str, dict[str, Any]]) -> None:
    change = compiled(made(layer))
    for _ in range(10):
        found = change(batch_of(np.repeat(SAME, 8, axis=0)))
        assert np.isfinite(found.images.numpy()).all()
        np.testing.assert_allclose(tf.reduce_sum(found.targets, axis=1), 1, rtol=1e-5)


def test_flipping_shows_the_mirror_image_or_the_picture(conf_part: Part) -> None:
    images = named("flip", conf_part)(batch_of(SAME)).images.numpy().astype(np.uint8)
    mirrored = [np.array_equal(image, picture()[:, ::-1]) for image in images]
    assert 0 < sum(mirrored) < 16
    assert all(np.array_equal(image, picture()) for image, flip in zip(images, mirrored, strict=True) if not flip)


def test_a_gain_multiplies_within_its_bounds() -> None:
    dim = SAME * 0.8
    gains = made({"RandomGain": {"low": 0.9, "high": 1.1}})(batch_of(dim)).images.numpy() / dim
    assert np.ptp(gains.reshape(16, -1), axis=1).max() < 1e-4
    assert 0.9 <= gains.min() < 0.97
    assert 1.03 < gains.max() <= 1.1


def test_a_crop_of_everything_is_the_picture_and_a_smaller_one_is_enlarged() -> None:
    whole = made({"RandomResizedCrop": {"smallest_area": 1.0, "widest_aspect": 1.0}})(batch_of(SAME)).images
    np.testing.assert_allclose(whole, SAME, atol=0.01)
    ramp = np.broadcast_to(np.arange(SIZE, dtype=np.float32)[None, None, :, None] * 8, SAME.shape)
    parts = made({"RandomResizedCrop": {"smallest_area": 0.25, "widest_aspect": 1.0}})(batch_of(ramp)).images.numpy()
    spans = (parts[:, 0, -1, 0] - parts[:, 0, 0, 0]) / 8 / (SIZE - 1)
    assert ((spans > 0.49) & (spans < 1.001)).all()
    assert np.ptp(spans) > 0.2


def test_randaugment_draws_its_changes_for_each_picture() -> None:
    one = distortions.RandAugmentEach(num_ops=1, factor=0.5, value_range=(0, 255), seed=1)
    drawn = one.get_random_transformation(tf.constant(SAME, tf.float32))
    assert drawn is not None
    assert len(np.unique(drawn["layer_idxes"].numpy())) > 4


def test_a_preview_is_pictures_of_whole_numbers(conf_part: Part) -> None:
    shown = augmentation.preview(named("strong", conf_part), SAME)
    assert shown.shape == SAME.shape
    assert shown.dtype == np.uint8


MISTAKES = [
    ({"RandomFip": {}}, "unknown augmentation layer 'RandomFip'; did you mean 'RandomFlip'"),
    ({"Dense": {"units": 3}}, "unknown augmentation layer 'Dense'"),
    ({"RandomFlip": {"moed": "horizontal"}}, "RandomFlip: unknown argument 'moed'; did you mean 'mode'"),
    ({"RandomFlip": {"mode": "horizntal"}}, "RandomFlip: unknown mode; did you mean 'horizontal'"),
    ({"RandomFlip": {"mode": "horizontal", "seed": 3}}, "RandomFlip: unknown argument 'seed'"),
    ({"RandomRotation": {"factor": "much"}}, "RandomRotation refuses .*'factor': 'much'"),
    ({"RandomRotation": {}}, "RandomRotation refuses .*missing 1 required positional argument: 'factor'"),
    ({"RandomCrop": {"height": 8, "width": 8}}, "makes 8 x 8 pictures of 32 x 32.*use RandomResizedCrop"),
    ({"RandomGain": {"low": 2.0, "high": 1.0}}, "RandomGain refuses .*expected 0 <= low <= high"),
    ({"RandomResizedCrop": {"smallest_area": 0.0, "widest_aspect": 1.0}}, "expected an area in 0..1"),
]


@pytest.mark.parametrize(("layer", "message"), MISTAKES)
def test_a_mistake_is_one_sentence(layer: dict[str, dict[str, Any]], message: str) -> None:
    with pytest.raises(InvalidAugmentation, match=message) as caught:
        made(layer)
    assert "\n" not in str(caught.value)


def test_a_new_layer_is_one_decorated_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distortions, "_REGISTRY", dict(distortions._REGISTRY))

    @distortions.distortion
    class Darken(distortions.Distortion):
        def __init__(self, share: float, seed: int, **options: Any) -> None:
            super().__init__(seed, **options)
            self.share = share

        def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
            return images * self.share if training else images

    np.testing.assert_allclose(made({"Darken": {"share": 0.5}})(batch_of(SAME)).images, SAME / 2)


def test_whitening_is_known_but_not_random() -> None:
    assert whitening.NAME in augmentation.names()
    assert made({whitening.NAME: {"patch": 3, "epsilon": 0.1, "patches": 100}}).layers == ()
    assert isinstance(keras.layers.RandomFlip(), augmentation._kinds()["RandomFlip"])
