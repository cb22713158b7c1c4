"""Drawn shapes: any number, size, imbalance and difficulty; the same rule gives the same pixels everywhere."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from datasets.generated import generated_folder, long_tail
from datasets.listing import list_folder
from datasets.sources import SourceRows, source
from datasets.sources.folder import rows_of
from datasets.spec import DatasetLocation, DatasetSpec, ShapesRule

Point = tuple[float, float]
Colour = tuple[int, int, int]
Place = tuple[Point, float, float]
"""Centre, radius and angle (radians) of a shape."""

CORNERS = {"triangle": 3, "square": 4, "pentagon": 5, "hexagon": 6}
NAMES = ("circle", "square", "triangle", "star", "cross", "ring", "pentagon", "hexagon")

_OVERSAMPLING = 4


@source
def shapes(spec: DatasetSpec, location: DatasetLocation, cache_dir: Path) -> SourceRows:
    """Class k of K has per_class * imbalance**(-k/(K-1)) pictures; difficulty 0..1 adds noise, clutter and cover."""
    assert spec.shapes is not None
    root = generated_folder(cache_dir, "shapes", spec.shapes, _write)
    return rows_of(root, list_folder(root, "", allow_outside_root=False))


def draw(rule: ShapesRule, name: str, index: int) -> Image.Image:
    """Picture number `index` of the class, RGB, rule.size pixels a side; independent of all other pictures."""
    scene = _scene(rule, name, index)
    pen, generator, (centre, radius, _) = ImageDraw.Draw(scene.image), scene.generator, scene.place
    _shape(pen, name, scene.place, scene.colours)
    if generator.random() < rule.difficulty:
        _cover(pen, generator, centre, radius * rule.difficulty)
    return _noisy(_small(scene.image, rule), generator, rule.difficulty)


def outline(rule: ShapesRule, name: str, index: int) -> npt.NDArray[np.bool_]:
    """Where the shape of that picture is, (rule.size, rule.size); what covers a part of it changes nothing."""
    scene = _scene(rule, name, index)
    blank = Image.new("RGB", scene.image.size, (0, 0, 0))
    _shape(ImageDraw.Draw(blank), name, scene.place, ((255, 255, 255), (0, 0, 0)))
    found: npt.NDArray[np.bool_] = np.asarray(_small(blank, rule))[..., 0] > 127
    return found


class _Scene(NamedTuple):
    """A picture before its shape is drawn."""

    image: Image.Image
    """Larger than the picture will be."""
    colours: tuple[Colour, Colour]
    """Of the shape and behind it."""
    place: Place
    generator: np.random.Generator
    """In the state in which what comes after the shape is drawn."""


def _scene(rule: ShapesRule, name: str, index: int) -> _Scene:
    generator = np.random.default_rng([rule.seed, NAMES.index(name), index])
    side = rule.size * _OVERSAMPLING
    background, colour = _colours(generator, rule.difficulty)
    image = Image.new("RGB", (side, side), background)
    pen = ImageDraw.Draw(image)
    for _ in range(generator.poisson(6 * rule.difficulty)):
        _clutter(pen, generator, side)
    radius = side * generator.uniform(0.42 - 0.22 * rule.difficulty, 0.42)
    margin = side / 2 - radius
    centre = (side / 2 + generator.uniform(-margin, margin), side / 2 + generator.uniform(-margin, margin))
    angle = generator.uniform(-1, 1) * math.pi * (0.1 + 0.9 * rule.difficulty)
    return _Scene(image, (colour, background), (centre, radius, angle), generator)


def _small(image: Image.Image, rule: ShapesRule) -> Image.Image:
    return image.resize((rule.size, rule.size), Image.Resampling.BOX)


def _write(rule: ShapesRule, folder: Path) -> None:
    for name, count in zip(NAMES, long_tail(rule.per_class, rule.imbalance, rule.classes), strict=False):
        (folder / name).mkdir()
        for index in range(count):
            draw(rule, name, index).save(folder / name / f"{index:06d}.png")


def _colours(generator: np.random.Generator, difficulty: float) -> tuple[Colour, Colour]:
    """Background and shape, whose brightness differs by 110 at difficulty 0 and by 30 at 1."""
    contrast = 110 - 80 * difficulty
    level = generator.uniform(60, 195)
    other = level + contrast if level + contrast <= 225 or level - contrast < 30 else level - contrast
    spread = 15 + 40 * difficulty
    return _tint(generator, level, spread), _tint(generator, other, spread)


def _tint(generator: np.random.Generator, level: float, spread: float) -> Colour:
    red, green, blue = np.clip(level + generator.uniform(-spread, spread, 3), 0, 255).astype(int).tolist()
    return red, green, blue


def _clutter(pen: ImageDraw.ImageDraw, generator: np.random.Generator, side: int) -> None:
    start, end = generator.uniform(0, side, 2), generator.uniform(0, side, 2)
    colour = _tint(generator, generator.uniform(40, 215), 40)
    pen.line([*start.tolist(), *end.tolist()], fill=colour, width=max(1, side // 60))


def _cover(pen: ImageDraw.ImageDraw, generator: np.random.Generator, centre: Point, size: float) -> None:
    x, y = (centre[axis] + generator.uniform(-size, size) for axis in (0, 1))
    pen.rectangle([x - size / 2, y - size / 2, x + size / 2, y + size / 2], fill=_tint(generator, 128, 80))


def _noisy(image: Image.Image, generator: np.random.Generator, difficulty: float) -> Image.Image:
    noise = generator.normal(0, 3 + 35 * difficulty, (*image.size, 3))
    return Image.fromarray(np.clip(np.rint(np.asarray(image) + noise), 0, 255).astype(np.uint8))


def _shape(pen: ImageDraw.ImageDraw, name: str, place: Place, colours: tuple[Colour, Colour]) -> None:
    (centre, radius, angle), (fill, hole) = place, colours
    if name in ("circle", "ring"):
        pen.ellipse(_box(centre, radius), fill=fill)
        if name == "ring":
            pen.ellipse(_box(centre, radius * 0.55), fill=hole)
    elif name == "star":
        pen.polygon(_around(centre, [radius, radius * 0.4] * 5, angle), fill=fill)
    elif name == "cross":
        for turn in (0.0, math.pi / 2):
            pen.polygon(_bar(centre, radius, angle + turn), fill=fill)
    else:
        pen.polygon(_around(centre, [radius] * CORNERS[name], angle), fill=fill)


def _box(centre: Point, radius: float) -> list[float]:
    return [centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius]


def _around(centre: Point, radii: list[float], angle: float) -> list[Point]:
    turns = [angle - math.pi / 2 + 2 * math.pi * k / len(radii) for k in range(len(radii))]
    return [
        (centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn))
        for radius, turn in zip(radii, turns, strict=True)
    ]


def _bar(centre: Point, radius: float, angle: float) -> list[Point]:
    half = math.atan(1 / 3)
    length = radius / math.cos(half) * 0.95
    turns = [angle + half, angle + math.pi - half, angle + math.pi + half, angle - half]
    return [(centre[0] + length * math.cos(turn), centre[1] + length * math.sin(turn)) for turn in turns]
