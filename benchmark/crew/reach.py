"""Whether a Ray cluster can be joined, found out before Ray itself is loaded."""

from __future__ import annotations

import importlib.util
import socket

SECONDS_TO_ANSWER = 5.0
"""In which something must listen at a cluster's address; Ray itself would ask for minutes."""


class ClusterUnavailable(RuntimeError):
    """A Ray cluster cannot be joined, or cannot hold a single worker."""


def require_cluster(address: str) -> None:
    """See that Ray is installed and that something listens at the address, if it is one.

    Args:
        address: `auto`, `local` or HOST:PORT.

    Raises:
        ClusterUnavailable: either is not so.
    """
    if importlib.util.find_spec("ray") is None:
        raise ClusterUnavailable(
            "found no package ray; expected the extra `ray` for launcher.engine=ray: pip install '.[ray]'"
        )
    host, _, port = address.rpartition(":")
    if host:
        try:
            socket.create_connection((host, int(port)), SECONDS_TO_ANSWER).close()
        except (OSError, ValueError, OverflowError) as error:
            raise not_there(address, str(error)) from error


def not_there(address: str, why: str) -> ClusterUnavailable:
    """The error for an address that leads to no cluster."""
    return ClusterUnavailable(
        f"found no Ray cluster at launcher.ray.address={address} ({why}); expected one that was started with "
        "`ray start`, or launcher.ray.address=local to start one on this machine"
    )
