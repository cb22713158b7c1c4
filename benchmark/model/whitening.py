"""Whitening: neighbouring pixels and colours decorrelated, fitted on training pictures, part of the model ever after.

ZCA whitening (Bell and Sejnowski 1997) of a whole picture of S x S pixels needs the eigenvectors of a matrix with
(3 S^2)^2 numbers: 180 GB at 224 pixels. Pictures look alike everywhere, so here the same is done to small patches (as
Coates, Lee and Ng 2011 do), and what it makes of the pixel in a patch's middle is a convolution: cheap at any size.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from benchmark import sharing
from benchmark.spec import AugmentationSpec

NAME = sharing.WHITENING
LAYER = "whitening"
"""Name of the convolution in the model; it never learns."""
LARGEST_PATCH = 15
"""The cost of fitting grows with the sixth power of the side: a second or so at 15."""
DEVIATIONS = 3
"""Standard deviations on either side of the mean that fit into 0..255."""

Pixels = npt.NDArray[np.uint8]


class InvalidWhitening(ValueError):
    """Arguments or pictures that no whitening can be fitted to."""


class ZCA(BaseModel):
    """The arguments of `ZCAWhitening` in an augmentation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patch: int = Field(ge=1, le=LARGEST_PATCH)
    """Side of the patches in pixels, odd; 1 decorrelates the colours only."""
    epsilon: float = Field(gt=0)
    """Added to the variance along every direction, as a share of the largest one."""
    patches: int = Field(ge=100)
    """How many patches are drawn from the training pictures."""

    @field_validator("patch")
    @classmethod
    def _odd(cls, patch: int) -> int:
        if patch % 2 == 0:
            raise ValueError(f"found {patch}; expected an odd number, so that a patch has a middle")
        return patch


class Whitening(NamedTuple):
    """A fitted whitening: subtract the mean, convolve, spread over 0..255 again."""

    mean: npt.NDArray[np.float64]
    """(3,) of the colours, 0..255."""
    kernel: npt.NDArray[np.float32]
    """(patch, patch, 3, 3); its output has mean 0 and standard deviation 255 / (2 * DEVIATIONS)."""

    @property
    def digest(self) -> str:
        """A hash of the numbers."""
        return hashlib.sha256(self.mean.tobytes() + self.kernel.tobytes()).hexdigest()

    def apply(self, pixels: keras.KerasTensor) -> keras.KerasTensor:
        """Symbolic pixels 0..255 -> whitened pixels 0..255 around 127.5, made of Keras's own layers only."""
        side = self.kernel.shape[0]
        centred = keras.layers.Rescaling(1.0, (-self.mean).tolist(), dtype="float32", name=f"{LAYER}_centred")(pixels)
        convolution = keras.layers.Conv2D(
            3, side, padding="same", bias_initializer=keras.initializers.Constant(127.5), dtype="float32", name=LAYER
        )
        values = convolution(centred)
        convolution.set_weights([self.kernel, np.full(3, 127.5, np.float32)])
        convolution.trainable = False
        return keras.layers.ReLU(255.0, dtype="float32", name=f"{LAYER}_clipped")(values)


def wanted(spec: AugmentationSpec) -> ZCA | None:
    """The whitening that an augmentation asks for, if it does.

    Raises:
        InvalidWhitening: its arguments make no sense, or it is asked for twice.
    """
    asked = [one[NAME] for one in spec.layers if NAME in one]
    if len(asked) > 1:
        raise InvalidWhitening(f"found {NAME} {len(asked)} times in augmentation.layers; expected it once")
    try:
        return ZCA(**asked[0]) if asked else None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidWhitening(
            f"augmentation layer {NAME}: {where}: {first['msg']} (found {first['input']!r}); expected patch odd in "
            f"1..{LARGEST_PATCH}, epsilon above 0, patches of at least 100"
        ) from error


def fit(zca: ZCA, pixels: Pixels, rows: npt.NDArray[np.int64], seed: int) -> Whitening:
    """The whitening of patches drawn by `seed` from these rows of the pixels (N, S, S, 3).

    Raises:
        InvalidWhitening: a patch is larger than the pictures, or all patches are alike.
    """
    if zca.patch > min(pixels.shape[1:3]):
        raise InvalidWhitening(
            f"found {NAME} patch={zca.patch} for pictures of {pixels.shape[1]} x {pixels.shape[2]}; expected it to fit "
            "into the picture: lower it"
        )
    patches = _draw(zca, pixels, rows, np.random.default_rng(seed)).astype(np.float64)
    mean = patches.mean(axis=(0, 1, 2))
    centred = (patches - mean).reshape(len(patches), -1)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    if variances[-1] <= 0:
        raise InvalidWhitening(f"{NAME} found pictures of a single colour; expected any variation: leave it out")
    scale = 1 / np.sqrt(np.maximum(variances, 0) + zca.epsilon * variances[-1])
    middle = slice(3 * (zca.patch**2 // 2), 3 * (zca.patch**2 // 2) + 3)
    filters = (directions * scale) @ directions[middle].T
    filters *= 255 / (2 * DEVIATIONS) / np.maximum((centred @ filters).std(axis=0), np.finfo(np.float64).tiny)
    return Whitening(mean, filters.reshape(zca.patch, zca.patch, 3, 3).astype(np.float32))


def _draw(zca: ZCA, pixels: Pixels, rows: npt.NDArray[np.int64], random: np.random.Generator) -> Pixels:
    """Patches (n, patch, patch, 3), as many of every picture so that each is read once."""
    each = -(-zca.patches // len(rows))
    chosen = rows if each > 1 else random.choice(rows, zca.patches, replace=False)
    span = np.array(pixels.shape[1:3]) - zca.patch + 1
    found = []
    for row in np.sort(chosen):
        top, left = random.integers(0, span[:, None], (2, each))
        windows = sliding_window_view(pixels[row], (zca.patch, zca.patch), axis=(0, 1))
        found.append(windows[top, left].transpose(0, 2, 3, 1))
    return np.concatenate(found)
