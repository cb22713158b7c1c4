"""RunSpec: everything that decides what a run computes, and nothing about the machine that computes it.

No field has a default: every value is written once, in conf/.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backbones.registry import BackboneSpec
from datasets.spec import DatasetSpec

KEY_VERSION = 1
"""Part of every run id; raised when the meaning of a spec's field changes."""

AXES = ("backbone", "head", "finetune", "weighting", "augmentation")
"""The parts of a spec that have a name of their own and a column on the leaderboard."""


class Part(BaseModel):
    """A frozen part of a spec that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HeadSpec(Part):
    """The classifier on top of the features: optional batch norm, hidden layers, dropout, one output a class."""

    name: str
    units: tuple[int, ...]
    """Hidden layers, widest first or not; each `Dense(units, relu)`."""
    input_batch_norm: bool
    """Batch normalisation of the features before the first hidden layer."""
    batch_norm: bool
    """Batch normalisation after the activation of every hidden layer."""
    hidden_dropout: float = Field(ge=0, lt=1)
    """Dropped share after every hidden layer but the last."""
    dropout: float = Field(ge=0, lt=1)
    """Dropped share just before the output layer."""


class FinetuneSpec(Part):
    """Which layers of the backbone learn, and when."""

    name: str
    mode: Literal["frozen", "full", "last_n", "staged"]
    last_n: int | None = Field(ge=1)
    """`last_n`: how many of the backbone's last layers learn. `staged`: those of the second stage, null = all."""
    frozen_epochs: int = Field(ge=0)
    """`staged`: epochs of the first stage, in which only the head learns."""
    learning_rate_factor: float = Field(gt=0)
    """`staged`: the second stage's learning rate as a share of `training.learning_rate`."""

    @model_validator(mode="after")
    def _fields_fit_the_mode(self) -> FinetuneSpec:
        if self.mode == "last_n" and self.last_n is None:
            raise ValueError("finetune.mode=last_n needs finetune.last_n, the number of layers that learn")
        if self.mode == "staged" and self.frozen_epochs < 1:
            raise ValueError("finetune.mode=staged needs finetune.frozen_epochs of at least 1")
        return self


class WeightingSpec(Part):
    """How classes of unequal size are weighed in the training loss."""

    name: str
    rule: str
    """A function of benchmark.weighting: classes' training counts -> weights, or `oversample`."""
    beta: float = Field(ge=0, lt=1)
    """`effective_number`: the share of new information that the next picture still brings."""
    focal_gamma: float = Field(ge=0)
    """Focal loss: the exponent of (1 - probability of the truth); 0 is plain cross-entropy."""


class AugmentationSpec(Part):
    """Random changes of the training pictures, applied per batch."""

    name: str
    layers: tuple[Mapping[str, Mapping[str, Any]], ...]
    """One `{Layer: {argument: value}}` each, a keras.layers class or one of benchmark.model.distortions."""


class ScheduleSpec(Part):
    """The learning rate over the course of training, as a function named `rule` and its numbers."""

    rule: str
    final_fraction: float = Field(ge=0, le=1)
    """`cosine`: the last learning rate as a share of the first."""
    warmup_fraction: float = Field(ge=0, lt=1)
    """`one_cycle`: share of the steps in which the rate rises to its peak."""
    start_divisor: float = Field(ge=1)
    """`one_cycle`: peak / first learning rate."""
    end_divisor: float = Field(ge=1)
    """`one_cycle`: first / last learning rate."""
    factor: float = Field(gt=0, lt=1)
    """`reduce_on_plateau`: what the rate is multiplied by."""
    patience: int = Field(ge=0)
    """`reduce_on_plateau`: epochs without improvement before it falls."""
    minimum: float = Field(ge=0)
    """`reduce_on_plateau`: the rate falls no further than this."""


class TrainingSpec(Part):
    """How the weights are found."""

    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"]
    learning_rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    """`sgd`: in Nesterov's form; 0 is plain gradient descent."""
    weight_decay: float = Field(ge=0)
    """`adamw`: share of every weight that a step at learning rate 1 would take away."""
    batch_size: int = Field(ge=1)
    epochs: int = Field(ge=1)
    monitor: str
    """`val_loss` or `val_<metric>`: what the best epoch and early stopping are chosen by."""
    patience: int | None = Field(ge=0)
    """Epochs without improvement before training stops; null = never."""
    augmented_views: int = Field(ge=0, le=64)
    """Augmentation before a frozen part: views of every picture that epochs draw from; 0 = new ones every epoch."""
    schedule: ScheduleSpec
    mixed_precision: Literal["none", "mixed_float16", "mixed_bfloat16"]
    label_smoothing: float = Field(ge=0, lt=1)
    deterministic: bool
    """Only operations that give the same bits every time."""


class RunSpec(Part):
    """One run: a candidate and a seed."""

    task: Literal["multiclass"]
    dataset: DatasetSpec
    backbone: BackboneSpec
    head: HeadSpec
    finetune: FinetuneSpec
    weighting: WeightingSpec
    augmentation: AugmentationSpec
    training: TrainingSpec
    seed: int = Field(ge=0, lt=2**31)

    @model_validator(mode="after")
    def _stages_fit_the_epochs(self) -> RunSpec:
        frozen, epochs = self.finetune.frozen_epochs, self.training.epochs
        if self.finetune.mode == "staged" and frozen >= epochs:
            raise ValueError(
                f"found finetune.frozen_epochs={frozen} of training.epochs={epochs}; expected at least one epoch for "
                "the second stage: raise training.epochs or lower finetune.frozen_epochs"
            )
        return self

    def run_id(self, fingerprint: str) -> str:
        """The run's name: readable, and unique by a hash over key version, spec and data fingerprint."""
        fold = f"-f{self.dataset.fold}" if self.dataset.split == "kfold" else ""
        return f"{self._slug()}-s{self.seed}{fold}-{_digest(KEY_VERSION, self.model_dump(mode='json'), fingerprint)}"

    def candidate(self, fingerprint: str) -> str:
        """The name shared by the runs that differ only in seed (and fold)."""
        content = self.model_dump(mode="json")
        content.pop("seed")
        content["dataset"].pop("fold", None)
        return f"{self._slug()}-{_digest(KEY_VERSION, content, fingerprint)}"

    def _slug(self) -> str:
        names = [self.backbone.application or self.backbone.name, self.head.name, self.finetune.name]
        names += [self.weighting.name, self.augmentation.name, str(self.dataset.image_size)]
        return "-".join(_plain(name) for name in names)


def _digest(*values: Any) -> str:
    """The first ten hexadecimal digits of the sha256 of the values' canonical JSON."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _plain(name: str) -> str:
    """The name in characters that are safe in a file name on every system."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower())[:32]


def flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The nested mapping with dotted keys: `{"training": {"epochs": 3}}` -> `{"training.epochs": 3}`."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
