"""Whether a Ray cluster can be joined, found out before Ray itself is loaded."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

import psutil

SECONDS_TO_ANSWER = 5.0
"""In which something must listen at a cluster's address; Ray itself would ask for minutes."""


class ClusterUnavailable(RuntimeError):
    """A Ray cluster cannot be joined, or cannot hold a single worker."""


def require_cluster(address: str) -> None:
    """See that Ray is installed and that something listens at the address, or at the one that `auto` stands for.

    Args:
        address: `auto`, `local` or HOST:PORT.

    Raises:
        ClusterUnavailable: either is not so.
    """
    if importlib.util.find_spec("ray") is None:
        raise ClusterUnavailable(
            "found no package ray; expected the extra `ray` for launcher.engine=ray: pip install '.[ray]'"
        )
    place = _current_cluster() if address == "auto" else address
    host, _, port = place.rpartition(":")
    if host and "://" not in place:
        try:
            socket.create_connection((host, int(port)), SECONDS_TO_ANSWER).close()
        except (OSError, ValueError, OverflowError) as error:
            at = "" if place == address else f"{place}: "
            raise not_there(address, f"{at}{error}") from error


def _current_cluster() -> str:
    """What `auto` stands for, in Ray's own order; empty where a head on this machine tells Ray itself.

    Raises:
        ClusterUnavailable: nothing tells of a cluster.
    """
    named = os.environ.get("RAY_ADDRESS")
    if named:
        return named
    if any(process.info["name"] == "gcs_server" for process in psutil.process_iter(["name"])):
        return ""
    note = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp") / "ray" / "ray_current_cluster"
    try:
        return note.read_text("utf-8").strip()
    except OSError as error:
        raise not_there("auto", f"no RAY_ADDRESS, no head on this machine, no {note}") from error


def not_there(address: str, why: str) -> ClusterUnavailable:
    """The error for an address that leads to no cluster."""
    return ClusterUnavailable(
        f"found no Ray cluster at launcher.ray.address={address} ({why}); expected one that was started with "
        "`ray start`, or launcher.ray.address=local to start one on this machine"
    )
