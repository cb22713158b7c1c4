"""Settings of the process that trains: threads, determinism, precision. They hold for the life of the process."""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

POLICIES = {"none": "float32", "mixed_float16": "mixed_float16", "mixed_bfloat16": "mixed_bfloat16"}
_MOST_THREADS_BETWEEN_OPERATIONS = 2
"""Operations of one net mostly wait for each other; more threads here only take cores from those inside one."""


class SettingsMismatch(RuntimeError):
    """A run that needs other settings than this process was started with."""


class Settings(NamedTuple):
    """What `configure` fixed."""

    threads: int
    deterministic: bool
    mixed_precision: str


_in_force: list[Settings] = []


def configure(settings: Settings) -> None:
    """Fix threads, determinism and precision before the first operation of this process.

    Raises:
        SettingsMismatch: this process already has other settings.
    """
    if _in_force:
        require(settings)
        return
    tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
    tf.config.threading.set_inter_op_parallelism_threads(min(settings.threads, _MOST_THREADS_BETWEEN_OPERATIONS))
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    # Determinism wants a seed even for operations that have none of their own, as a plug-in's layers may.
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(POLICIES[settings.mixed_precision])
    _in_force.append(settings)


def require(settings: Settings) -> None:
    """Check that this process has these settings.

    Raises:
        SettingsMismatch: it was configured otherwise, or not at all.
    """
    if not _in_force or _in_force[0] != settings:
        found = _in_force[0] if _in_force else None
        raise SettingsMismatch(
            f"found a process with {found}; expected {settings}: such settings last for the life of a process, so "
            "start another worker and call configure first"
        )


def concurrent() -> int:
    """How many operations of different batches may compute at once in this process, at least 1."""
    return max(1, tf.config.threading.get_inter_op_parallelism_threads())


def identity() -> dict[str, object]:
    """What changes the last bits of results: the settings in force, the devices and the versions."""
    settings = _in_force[0]._asdict() if _in_force else {}
    devices = sorted(device.device_type for device in tf.config.list_physical_devices())
    return {**settings, "devices": devices, "tensorflow": tf.__version__, "keras": keras.__version__}
