"""Does the heat fall on what was drawn? Every backbone: python tests/simulation/heat_on_shapes.py [--only NAME ...]

Each network is trained from scratch, just long enough, to tell drawn shapes apart that stand anywhere on a plain
picture two or three times their size; then Grad-CAM explains its guess on new pictures that it gets right. The drawing
knows where the shape is; a heat map sees no finer than its cells, so the region is the shape and one cell of the map
around it. Printed for each backbone: accuracy at the end of training and on new pictures, the heat's share on the
region, the region's share of the picture (what heat spread evenly would have), both as means over pictures, and the
seconds. Exit code 1 where half of the heat or less is on the region, or a network did not learn. About half an hour on
two cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from hydra import compose, initialize_config_dir
from PIL import Image
from scipy.ndimage import binary_dilation

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from backbones import registry  # noqa: E402
from benchmark import config  # noqa: E402
from benchmark.model import experiment, explain, settings  # noqa: E402
from benchmark.spec import RunSpec  # noqa: E402
from datasets.sources.shapes import draw, outline  # noqa: E402
from datasets.spec import ShapesRule  # noqa: E402

CLASSES = ("square", "star", "ring")
TEST = 60
MOST_EXPLAINED = 48
LEAST_ACCURACY, LEAST_HEAT = 0.6, 0.5
LEAST_GAIN = 2.0
FAINT = ("shallownet",)
"""One convolution that sees 3 pixels tells no shape from the plain part, whose many faint pixels add up to half of the
heat; so only LEAST_GAIN is asked of it: so many times as much heat as the region would have were it spread evenly."""
THREADS = 2
DARK, BRIGHT = 3.0, 255
"""Deviation of the noise on the plain part, as on the easiest drawn pictures; the highest value of a pixel."""


class Course(NamedTuple):
    """How long a backbone learns, and on what."""

    size: int
    """Pixels a side of a picture."""
    shape: int
    """Pixels a side of the square that a shape fills, all but a margin."""
    pictures: int
    epochs: int
    batch: int
    learning_rate: float = 1e-3


SMALL = Course(48, 24, 900, 12, 32)
"""Also for backbones of which nothing is known here."""
# Moving averages of batch normalisation need some hundred steps, those of MobileNetV3 thousands.
COURSES = {
    "lenet": SMALL,
    "shallownet": Course(32, 16, 3000, 15, 32),
    "minivgg": Course(48, 24, 900, 20, 16),
    "vggstyle": Course(48, 16, 900, 8, 32, 3e-4),
    "twotowers": Course(48, 16, 900, 8, 32, 3e-4),
    "mobilenetv3small": Course(64, 28, 900, 38, 4),
    "mobilenetv3large": Course(64, 28, 900, 38, 4),
    "resnet50v2": Course(64, 28, 900, 12, 16),
    "inceptionv3": Course(96, 32, 900, 10, 8),
    "xception": Course(72, 32, 900, 10, 8),
    "keras_application": Course(64, 28, 900, 10, 8),
}
APPLICATION = "DenseNet121"
"""Stands for all others of keras.applications."""


class Pictures(NamedTuple):
    """Drawn pictures and where their shapes are."""

    data: experiment.Data
    shapes: npt.NDArray[np.bool_]
    """(N, S, S)."""


class Found(NamedTuple):
    """What became of one backbone."""

    learnt: float
    """Accuracy in the last epoch on the pictures that it learns from."""
    accuracy: float
    heat: float
    """Share of the heat on shape and margin, mean over the explained pictures."""
    area: float
    """Share of the picture that shape and margin take."""
    cells: int
    """Of the heat map, a side."""
    seconds: float


def pictures(course: Course) -> Pictures:
    """The course's pictures to learn from, a fifth of them to choose the epoch by, and TEST others."""
    size, side, count = course.size, course.shape, course.pictures
    total = count + TEST
    random = np.random.default_rng(0)
    labels = np.arange(total) % len(CLASSES)
    pixels, shapes = np.empty((total, size, size, 3), np.uint8), np.zeros((total, size, size), bool)
    rule = ShapesRule(classes=len(CLASSES), per_class=total, imbalance=1, difficulty=0, size=side, seed=0)
    for index, label in enumerate(labels.tolist()):
        tile = np.asarray(draw(rule, CLASSES[label], index))
        plain = np.median(tile[0], axis=0) + random.normal(0, DARK, (size, size, 3))
        pixels[index] = np.clip(np.rint(plain), 0, BRIGHT)
        top, left = random.integers(0, size - side + 1, 2).tolist()
        window = (index, slice(top, top + side), slice(left, left + side))
        pixels[window], shapes[window] = tile, outline(rule, CLASSES[label], index)
    rows = np.arange(total)
    ends = (count * 4 // 5, count)
    split = (rows[: ends[0]], rows[ends[0] : ends[1]], rows[ends[1] :])
    return Pictures(experiment.Data(pixels, labels, *split, CLASSES, f"shapes-{size}-{side}-{total}"), shapes)


def on_region(heat: npt.NDArray[np.uint8], shape: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The share of one map's heat that falls on the shape and one cell around it, and that region's share of the area.

    The heat is stretched over the picture as the report does it.
    """
    side = len(shape)
    stretched = np.asarray(Image.fromarray(heat).resize((side, side), Image.Resampling.BILINEAR), np.float64)
    cell = -(-side // len(heat))
    region = binary_dilation(shape, np.ones((2 * cell + 1, 2 * cell + 1), bool))
    return float(stretched[region].sum() / stretched.sum()), float(region.mean())


def measure(name: str, course: Course, cache: Path) -> Found:
    """Train the backbone and see where its heat falls."""
    begun = time.perf_counter()
    drawn = pictures(course)
    data = drawn.data
    result = experiment.run(_spec(name, course), data, experiment.Machine(None, cache, THREADS), lambda row: None)
    guesses = result.test.argmax(axis=1)
    right = guesses == data.labels[data.test]
    explained = data.test[right][:MOST_EXPLAINED]
    maps = explain.heat_maps(explain.cut(result.model), data.pixels[explained], guesses[right][:MOST_EXPLAINED])
    # A map without any heat says nothing about places; there is none to be shown.
    shares = np.array(
        [on_region(heat, drawn.shapes[row]) for heat, row in zip(maps, explained, strict=True) if heat.any()]
    )
    heat, area = shares.mean(axis=0).tolist() if len(shares) else (float("nan"), float("nan"))
    learnt = float(result.history["train_accuracy"].iloc[-1])
    return Found(learnt, float(right.mean()), heat, area, maps.shape[1], time.perf_counter() - begun)


def _spec(name: str, course: Course) -> RunSpec:
    words = [f"backbone={name}", "backbone.weights=none", "finetune=full", f"dataset.image_size={course.size}"]
    words += [f"training.epochs={course.epochs}", f"training.batch_size={course.batch}"]
    words += [f"training.learning_rate={course.learning_rate}"]
    if name == registry.ANY_APPLICATION:
        words.append(f"backbone.application={APPLICATION}")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        [job] = config.to_jobs(config.without_machinery(compose("config", words)), words)
    return job.spec


def main() -> int:
    """Measure the wanted backbones, print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=registry.names(), default=registry.names())
    settings.configure(settings.Settings(THREADS, True, "none"))
    sys.stdout.write("backbone            learnt  accuracy  heat on shape  area of it  map    seconds\n")
    kept = True
    for name in parser.parse_args().only:
        with tempfile.TemporaryDirectory() as cache:
            found = measure(name, COURSES.get(name, SMALL), Path(cache))
        seen = found.heat > (LEAST_GAIN * found.area if name in FAINT else LEAST_HEAT)
        enough = found.accuracy >= LEAST_ACCURACY and seen
        kept = kept and enough
        sys.stdout.write(
            f"{name:<18}  {found.learnt:6.3f}  {found.accuracy:8.3f}  {found.heat:13.3f}  {found.area:10.3f}  "
            f"{found.cells:>2}x{found.cells:<2}  {found.seconds:8.0f}{'' if enough else '  NOT as expected'}\n"
        )
        sys.stdout.flush()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
