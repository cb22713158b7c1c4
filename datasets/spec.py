"""What identifies the data of a run, and where the data lie on this machine."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from datasets.errors import DatasetUsageError, did_you_mean
from datasets.resizing import Resize

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _plain_name(name: str) -> str:
    if not _PLAIN.fullmatch(name):
        raise ValueError("expected letters, digits, '.', '_' and '-', the first a letter or digit, 100 at most")
    return name


PlainName = Annotated[str, AfterValidator(_plain_name)]
"""A name that may become that of a folder, and leads out of none."""

Split = Literal["train", "val", "test"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")
MACHINE_KEYS = ("root", "table", "allow_outside_root")
STANDARD_NAMES: dict[str, Split] = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fractions(_Frozen):
    """Shares of the pictures in each split; they add up to 1."""

    train: float = Field(gt=0, lt=1)
    val: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"fractions add up to {total:g}, expected 1: change train, val or test")
        return self


class DigitsRule(_Frozen):
    """How scikit-learn's handwritten digits are written out; class k keeps max_count * imbalance**(-k/9) of them."""

    size: int = Field(ge=8, le=512)
    imbalance: float = Field(ge=1, le=50)
    seed: int = Field(ge=0)


class ShapesRule(_Frozen):
    """How drawn shapes are made; class k of K has per_class * imbalance**(-k/(K-1)) pictures."""

    classes: int = Field(ge=2, le=8)
    per_class: int = Field(ge=1)
    imbalance: float = Field(ge=1)
    difficulty: float = Field(ge=0, le=1)
    size: int = Field(ge=16, le=1024)
    seed: int = Field(ge=0)


def _pairs(value: object) -> object:
    return tuple(sorted(value.items())) if isinstance(value, Mapping) else value


# A tuple of pairs inside, so that the spec stays hashable; a mapping {folder: split} outside.
Parts = Annotated[
    tuple[tuple[str, Split], ...], BeforeValidator(_pairs), PlainSerializer(dict, return_type=dict[str, str])
]


class DatasetSpec(_Frozen):
    """Everything about the data that belongs to a run's identity; conf/dataset/schema.yaml explains every key."""

    name: PlainName
    source: str
    classes: tuple[str, ...] | None
    parts: Parts | None
    path_column: str
    label_column: str
    split_column: str | None
    group_column: str | None
    image_size: int = Field(ge=8, le=4096)
    resize: Resize
    split: Literal["holdout", "kfold", "given"]
    fractions: Fractions
    folds: int = Field(ge=2)
    fold: int | None = Field(ge=0)
    split_seed: int = Field(ge=0)
    max_per_class: int | None = Field(ge=1)
    min_per_class: int = Field(ge=1)
    small_classes: Literal["refuse", "drop"]
    copies: Literal["group", "drop", "ignore"]
    near_distance: int | None = Field(ge=0, le=24)
    conflicts: Literal["exclude", "keep"]
    group_pattern: str | None
    fix_leaks: bool
    digits: DigitsRule | None
    shapes: ShapesRule | None

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if classes is not None and len(set(classes)) != len(classes):
            raise ValueError(f"classes {list(classes)} names a class twice: name each once, in the wanted order")
        return classes

    @field_validator("group_pattern")
    @classmethod
    def _regular(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"group_pattern is no regular expression ({error})") from error
        return pattern

    @model_validator(mode="after")
    def _effective(self) -> Self:
        """No option that another one makes ineffective: whoever sets it expects something of it."""
        for name, other, value in (
            ("parts", "source", "given_split"),
            ("split_column", "source", "table"),
            ("group_column", "source", "table"),
            ("split_column", "split", "given"),
            ("fix_leaks", "split", "given"),
            ("fold", "split", "kfold"),
        ):
            chosen, found = getattr(self, name), getattr(self, other)
            if chosen is not None and chosen is not False and found != value:
                raise ValueError(f"{name} has no effect with {other}={found}: set {other}={value} or leave {name} out")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.split == "kfold" and (self.fold is None or self.fold >= self.folds):
            raise ValueError(
                f"fold is {self.fold}, expected 0 to {self.folds - 1} with split=kfold and folds={self.folds}"
            )
        if self.max_per_class is not None and self.max_per_class < self.min_per_class:
            raise ValueError(
                f"max_per_class={self.max_per_class} leaves fewer pictures than min_per_class={self.min_per_class}: "
                "raise the one or lower the other"
            )
        for name in ("digits", "shapes"):
            if (getattr(self, name) is not None) != (self.source == name):
                raise ValueError(f"{name} must be given with source={name} and null with any other source")
        return self


class DatasetLocation(_Frozen):
    """Where the data lie on this machine; no part of a run's identity."""

    root: Path | None
    table: Path | None
    allow_outside_root: bool


class Dataset(NamedTuple):
    """A spec and its place on this machine."""

    spec: DatasetSpec
    location: DatasetLocation


def dataset_from_mapping(values: Mapping[str, Any]) -> Dataset:
    """The spec and location written in a flat mapping, as in conf/dataset/*.yaml (image_size already a number).

    Raises:
        DatasetUsageError: a key is missing, unknown or has a value that makes no sense.
    """
    known = {*DatasetSpec.model_fields, *MACHINE_KEYS}
    unknown = sorted(set(values) - known)
    if unknown:
        raise DatasetUsageError(f"unknown dataset option {unknown[0]!r}; {did_you_mean(unknown[0], known)}")
    identity = {key: value for key, value in values.items() if key not in MACHINE_KEYS}
    try:
        spec = DatasetSpec.model_validate(identity)
        location = DatasetLocation.model_validate({key: values.get(key) for key in MACHINE_KEYS})
    except ValidationError as error:
        raise DatasetUsageError(_sentence(error)) from error
    return Dataset(spec, location)


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in ("dataset", *first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"{place} is missing: give it a value"
    return f"{place}: {message} (found {first['input']!r})" if first["loc"] else f"{place}: {message}"
