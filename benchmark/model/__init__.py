"""The Keras wing: the only part of `benchmark` that imports Keras and TensorFlow."""

import sys

_UNUSED = ("matplotlib", "sklearn")
"""Packages that Keras loads if they are there, for its picture galleries and wrappers: a fifth of its time to load."""


def _load_keras() -> None:
    """Load Keras as if those were not installed; whoever wants them later finds them."""
    hidden = {name: None for name in _UNUSED if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None is how Python says that there is no such module
    try:
        import keras  # noqa: F401, PLC0415
    finally:
        for name in hidden:
            del sys.modules[name]


_load_keras()
