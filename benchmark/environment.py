"""What a result was computed with: code, packages, machine."""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
import platform
import subprocess
import threading
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from benchmark import plugins

PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn", "pillow", "imagehash", "mlflow", "hydra-core")
ROOT = Path(__file__).resolve().parent.parent
CODE = ("benchmark", "backbones", "datasets", "conf")
"""The folders of which a file that git does not know yet counts as a change of the code."""


def describe() -> dict[str, Any]:
    """Commit, dirty flag, versions and hardware, flat and ready for JSON. The host's name is hashed."""
    return {**code(), **_machine()}


@functools.cache
def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "os": platform.platform(),
        "cpu": _processor(),
        "gpu": ", ".join(gpu_names()),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "host": hashlib.sha256(platform.node().encode()).hexdigest()[:12],
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


def code() -> dict[str, Any]:
    """The commit of this code and what differs from it, files new to git and loaded plug-ins included.

    `diff` is a checksum of the differences, empty when there are none; `commit` is empty outside a git checkout.
    """
    return _code(plugins.sources())


@functools.cache
def _code(plugged_in: tuple[Path, ...]) -> dict[str, Any]:
    changes = _git("status", "--porcelain", "--untracked-files=no") + _git("diff", "HEAD")
    names = _git("ls-files", "--others", "--exclude-standard", "-z", "--", *(f"{folder}/" for folder in CODE))
    new = [ROOT / name for name in names.split("\0") if name.endswith((".py", ".yaml"))]
    digest, differs = hashlib.sha256(changes.encode()), bool(changes or new)
    for path in filter(Path.is_file, [*new, *plugged_in]):
        digest.update(path.name.encode() + path.read_bytes())
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": differs,
        "diff": digest.hexdigest()[:12] if differs or plugged_in else "",
    }


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def gpus() -> int:
    """How many NVIDIA GPUs this process may use, asked of the driver and not of TensorFlow, which takes seconds."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return len([device for device in allowed.split(",") if device.strip() not in ("", "-1")])
    return len(gpu_names())


@functools.cache
def gpu_names() -> tuple[str, ...]:
    """The names of the machine's NVIDIA GPUs, in the driver's order; none without a driver."""
    words = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(done.stdout.splitlines()) if done.returncode == 0 else ()


def out_of_memory_kills() -> int:
    """How many processes this system has ended since it started because memory ran out; 0 where it does not say."""
    try:
        for line in Path("/proc/vmstat").read_text("utf-8").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        return 0
    return 0


@functools.cache
def process_identity() -> dict[str, str]:
    """Host, boot and process: enough to tell later whether this process still lives, whatever becomes of the clock."""
    return {"host": describe()["host"], "boot": _boot(), "pid": str(os.getpid()), "born": _born(os.getpid())}


def is_here(identity: Mapping[str, str]) -> bool:
    """Whether the process of that identity is, or was, one of this host."""
    return identity.get("host") == describe()["host"]


def is_alive(identity: Mapping[str, str]) -> bool:
    """Whether the process of that identity still runs on this host."""
    if not is_here(identity) or identity.get("boot") != _boot():
        return False
    try:
        return _born(int(identity["pid"])) == identity.get("born")
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return False


def end_with(parent: int) -> None:
    """End this process when its parent, of this number, is gone: however that ended, and whatever this one is doing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _boot() -> str:
    """What tells this start of the system from all others."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))


def _born(pid: int) -> str:
    """When a process began: in ticks since the system's start, or by the clock where the system does not say.

    Raises:
        NoSuchProcess: there is none.
    """
    try:
        # The name, in parentheses, may hold anything; the 22nd field is the 20th after it.
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return f"{psutil.Process(pid).create_time():.2f}"


def _git(*words: str) -> str:
    """What git prints about this code's checkout; empty when there is no git or no checkout."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor()
    return platform.processor()
