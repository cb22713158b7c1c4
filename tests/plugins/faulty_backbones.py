"""Backbones that fail in the ways a real one can, for the tests of the sweep."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backbones.registry import SCRATCH, BackboneSpec, backbone

TINY: dict[str, Any] = {"default_size": 16, "minimum_size": 8, "weights": SCRATCH, "papers": ("drawn for tests",)}


@backbone(**TINY)
def tiny(pixels: Any, spec: BackboneSpec) -> Any:
    """Sixty-four average grey values."""
    import keras

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
def killed_once(pixels: Any, spec: BackboneSpec) -> Any:
    """Is killed the first time that it is built with this mark, and well ever after."""
    _once(lambda: os.kill(os.getpid(), signal.SIGKILL))
    return tiny(pixels, spec)


@backbone(**TINY)
def hungry(pixels: Any, spec: BackboneSpec) -> Any:
    """Finds too little memory the first time that it is built with this mark."""
    _once(_starve)
    return tiny(pixels, spec)


@backbone(**TINY)
def sleeping(pixels: Any, spec: BackboneSpec) -> Any:
    """Never comes to an end."""
    _sleep()


@backbone(**TINY)
def sleeping_once(pixels: Any, spec: BackboneSpec) -> Any:
    """Never comes to an end the first time that it is built with this mark."""
    _once(_sleep)
    return tiny(pixels, spec)


@backbone(**TINY)
def waiting(pixels: Any, spec: BackboneSpec) -> Any:
    """Waits until the mark is there."""
    while not Path(os.environ["MARK"]).exists():
        time.sleep(0.1)
    return tiny(pixels, spec)


def _once(act: Callable[[], None]) -> None:
    """Act unless the file that MARK names is there; it is there from now on."""
    mark = Path(os.environ["MARK"])
    if not mark.exists():
        mark.touch()
        act()


def _sleep() -> None:
    while True:
        time.sleep(1)


def _starve() -> None:
    raise MemoryError


@backbone(**TINY)
def exploding(pixels: Any, spec: BackboneSpec) -> Any:
    """Gives features that are not numbers."""
    import keras

    return keras.layers.Rescaling(float("nan"))(keras.layers.Flatten()(pixels))
