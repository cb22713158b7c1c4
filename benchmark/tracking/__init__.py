"""MLflow, and the only package that knows it.

The planning process is its one writer, so that a run whose worker is killed still ends with a true status. Records on
disk are the truth: whatever MLflow misses is sent again from them.
"""

from __future__ import annotations

from benchmark.tracking.comparing import compare
from benchmark.tracking.opening import TrackingUnavailable, default_uri, probe
from benchmark.tracking.pulling import FolderTaken, NotInMlflow, pull
from benchmark.tracking.pushing import push
from benchmark.tracking.sending import Sent
from benchmark.tracking.tracker import SweepTracker

__all__ = [
    "FolderTaken",
    "NotInMlflow",
    "Sent",
    "SweepTracker",
    "TrackingUnavailable",
    "compare",
    "default_uri",
    "probe",
    "pull",
    "push",
]
