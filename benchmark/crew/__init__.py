"""Crews: the workers that carry out the orders of a sweep, on this machine or on those of a Ray cluster."""

from __future__ import annotations

from benchmark.crew.events import Crew, Death, Event
from benchmark.crew.local import LocalCrew

__all__ = ["Crew", "Death", "Event", "LocalCrew"]
