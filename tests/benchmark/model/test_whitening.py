from collections.abc import Callable

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmark.model import whitening
from benchmark.model.experiment import Data, Result
from benchmark.model.whitening import ZCA, InvalidWhitening
from benchmark.spec import AugmentationSpec, RunSpec

ROWS = np.arange(40)


def smooth_pictures(size: int = 24) -> np.ndarray:
    """40 pictures in which neighbours and colours are strongly alike, uint8."""
    random = np.random.default_rng(0)
    noise = random.normal(size=(40, size, size, 1)) + 0.3 * random.normal(size=(40, size, size, 3))
    blurred = gaussian_filter(noise, (0, 0.7, 0.7, 0))
    return np.clip(128 + 35 * blurred / blurred.std(), 0, 255).astype(np.uint8)


def applied(fitted: whitening.Whitening, pixels: np.ndarray) -> np.ndarray:
    inputs = keras.Input(pixels.shape[1:])
    return np.asarray(keras.Model(inputs, fitted.apply(inputs))(pixels.astype(np.float32)))


def likeness(images: np.ndarray) -> float:
    """Correlation of horizontal neighbours, away from the edges."""
    inner = images[:, 4:-4, 4:-4].astype(float)
    return float(np.corrcoef(inner[:, :, 1:].ravel(), inner[:, :, :-1].ravel())[0, 1])


def asked(**arguments: object) -> AugmentationSpec:
    return AugmentationSpec(name="x", layers=({whitening.NAME: arguments},))


def test_neighbours_and_colours_are_decorrelated() -> None:
    pixels = smooth_pictures()
    white = applied(whitening.fit(ZCA(patch=7, epsilon=1e-4, patches=20000), pixels, ROWS, 0), pixels)
    assert likeness(pixels) > 0.5
    assert abs(likeness(white)) < 0.1
    colours = np.corrcoef(white[:, 4:-4, 4:-4].reshape(-1, 3).T)
    assert np.abs(colours - np.eye(3)).max() < 0.1
    assert np.corrcoef(pixels.reshape(-1, 3).T)[0, 1] > 0.7


def test_whitened_patches_of_one_pixel_have_the_identity_for_a_covariance() -> None:
    pixels = smooth_pictures()
    white = applied(whitening.fit(ZCA(patch=1, epsilon=1e-9, patches=20000), pixels, ROWS, 0), pixels)
    spread = 255 / (2 * whitening.DEVIATIONS)
    covariance = np.cov((white.reshape(-1, 3) - 127.5).T) / spread**2
    np.testing.assert_allclose(covariance, np.eye(3), atol=0.06)


def test_the_output_fills_the_range_of_pixels_around_its_middle() -> None:
    pixels = smooth_pictures()
    white = applied(whitening.fit(ZCA(patch=5, epsilon=0.01, patches=20000), pixels, ROWS, 0), pixels)
    assert white.shape == pixels.shape
    assert white.min() >= 0
    assert white.max() <= 255
    assert white.mean() == pytest.approx(127.5, abs=3)
    assert white[:, 2:-2, 2:-2].std() == pytest.approx(255 / 6, rel=0.05)


def test_only_training_pictures_and_the_seed_decide() -> None:
    pixels = smooth_pictures()
    others = pixels.copy()
    others[20:] = 0
    zca = ZCA(patch=5, epsilon=0.01, patches=2000)
    fits = [whitening.fit(zca, *case) for case in [(pixels, ROWS[:20], 1), (others, ROWS[:20], 1)]]
    np.testing.assert_array_equal(fits[0].kernel, fits[1].kernel)
    assert fits[0].digest == fits[1].digest != whitening.fit(zca, pixels, ROWS[:20], 2).digest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch": 17, "epsilon": 0.1, "patches": 1000}, "patch.*less than or equal to 15"),
        ({"patch": 4, "epsilon": 0.1, "patches": 1000}, "odd"),
        ({"patch": 5, "epsilon": 0.0, "patches": 1000}, "epsilon"),
        ({"patch": 5, "patches": 1000}, "epsilon: Field required"),
        ({"patch": 5, "epsilon": 0.1, "patches": 1000, "pach": 3}, "pach"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidWhitening, match=message):
        whitening.wanted(asked(**arguments))


def test_a_patch_larger_than_the_pictures_is_refused() -> None:
    with pytest.raises(InvalidWhitening, match="patch=9 for pictures of 8 x 8"):
        whitening.fit(ZCA(patch=9, epsilon=0.1, patches=1000), smooth_pictures(8), ROWS, 0)


def test_pictures_of_one_colour_are_refused() -> None:
    with pytest.raises(InvalidWhitening, match="a single colour"):
        whitening.fit(ZCA(patch=3, epsilon=0.1, patches=100), np.full((5, 8, 8, 3), 9, np.uint8), np.arange(5), 0)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("finetune", ["full", "frozen"])
def test_whitening_is_part_of_the_model_and_never_learns(
    finetune: str,
    spec_of: Callable[..., RunSpec],
    drawn: Callable[..., Data],
    run: Callable[..., Result],
    tmp_path: object,
) -> None:
    data = drawn()
    result = run(spec_of("lenet", finetune=finetune, augmentation="zca"), data)
    zca = whitening.wanted(spec_of(augmentation="zca").augmentation)
    assert zca is not None
    result.model.save(f"{tmp_path}/model.keras")
    loaded = keras.saving.load_model(f"{tmp_path}/model.keras")
    found = loaded(data.pixels[data.test].astype(np.float32), training=False).numpy()
    np.testing.assert_allclose(found, result.test, atol=1e-5)
    plain = run(spec_of("lenet", finetune=finetune), data)
    extra = 3 * 3 * zca.patch**2 + 3
    assert result.parameters.total == plain.parameters.total + extra
    assert result.parameters.trainable == plain.parameters.trainable
    kernel, bias = result.model.build().get_layer(whitening.LAYER).get_weights()
    np.testing.assert_array_equal(bias, np.full(3, 127.5))
    again = run(spec_of("lenet", finetune=finetune, augmentation="zca", epochs=1), data)
    np.testing.assert_array_equal(kernel, again.model.build().get_layer(whitening.LAYER).get_weights()[0])
