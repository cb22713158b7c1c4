"""Backbones that fail in the ways a real one can, for the tests of the sweep."""

import os
import signal
from typing import Any

import keras

from backbones.registry import SCRATCH, BackboneSpec, backbone

TINY: dict[str, Any] = {"default_size": 16, "minimum_size": 8, "weights": SCRATCH, "papers": ("drawn for tests",)}


@backbone(**TINY)
def tiny(pixels: Any, spec: BackboneSpec) -> Any:
    """Sixty-four average grey values."""
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    return keras.layers.Flatten()(keras.layers.AveragePooling2D(pixels.shape[1] // 4)(scaled))


@backbone(**TINY)
def raising(pixels: Any, spec: BackboneSpec) -> Any:
    """Raises an exception of its own."""
    raise ArithmeticError("the flux capacitor is empty")


@backbone(**TINY)
def exiting(pixels: Any, spec: BackboneSpec) -> Any:
    """Ends the process without a word."""
    os._exit(7)


@backbone(**TINY)
def killed(pixels: Any, spec: BackboneSpec) -> Any:
    """Is killed, as by the kernel when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


@backbone(**TINY)
def exploding(pixels: Any, spec: BackboneSpec) -> Any:
    """Gives features that are not numbers."""
    return keras.layers.Rescaling(float("nan"))(keras.layers.Flatten()(pixels))
