"""Retries: what becomes of runs whose worker died, and when a sweep has failed alike too often (pure)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmark.bundles import Bundle
from benchmark.crew import Death
from benchmark.records import Failure, RunRecord, Status
from benchmark.wording import counted_are

MOST_MACHINES_LOST = 3
"""A run that has lost so many machines may be what ends them."""
_STATUS: Mapping[str, Status] = {
    "failed": "failed", "crashed": "crashed", "oom": "oom", "timeout": "timeout", "unbegun": "timeout",
    "lost": "crashed",
}  # fmt: skip
"""How runs end by the end of their worker."""
_OWN = re.compile(r"[\d/]")


class Verdict(NamedTuple):
    """What becomes of the runs of an order whose worker died."""

    again: list[Bundle]
    """To be done next, in this order."""
    ended: dict[str, tuple[Status, Failure]]
    """By run id, how the others end."""
    note: str
    """What to say; empty when nothing is done again."""


class Retries:
    """How often what was tried, for the bundles of one plan."""

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        """Nothing was tried yet."""
        self._bundles = bundles
        self._halved: set[str] = set()
        self._lost: Counter[str] = Counter()

    def batch_size(self, run_id: str, asked: int) -> int:
        """The batch size for the next try: half of the asked one after the memory of a machine ran out."""
        return max(1, asked // 2) if run_id in self._halved else asked

    def judge(self, left: Sequence[str], death: Death, size: int) -> Verdict:
        """What becomes of these runs, `left` unfinished in an order of `size` runs.

        A stack is done one by one, too large a batch by halves, and what was on a lost machine on another one.
        """
        failure = Failure(kind=death.kind, message=death.message)
        status: Status = _STATUS[death.status]
        if death.status == "lost":
            self._lost.update(left)
            again = {run_id for run_id in left if self._lost[run_id] < MOST_MACHINES_LOST}
            failure = failure.model_copy(update={"message": f"{death.message}, {MOST_MACHINES_LOST} times"})
            bundles, how = self._whole(again), "on another machine"
        else:
            again = set(left) if size > 1 and death.status != "unbegun" else set()
            if death.status == "oom" and size == 1 and left and left[0] not in self._halved:
                self._halved.add(left[0])
                again = {left[0]}
            bundles, how = self._singly(again), "one at a time"
        note = f"{death.message}; {counted_are(len(again), 'run')} tried once more, {how}" if again else ""
        return Verdict(bundles, {run_id: (status, failure) for run_id in left if run_id not in again}, note)

    def _whole(self, run_ids: set[str]) -> list[Bundle]:
        """The runs together, as they were."""
        parts = [one._replace(runs=tuple(run for run in one.runs if run.run_id in run_ids)) for one in self._bundles]
        return [part for part in parts if part.runs]

    def _singly(self, run_ids: set[str]) -> list[Bundle]:
        """Every run by itself."""
        return [one._replace(runs=(run,)) for one in self._bundles for run in one.runs if run.run_id in run_ids]


class SameFailure:
    """How often in a row runs have failed in one way."""

    def __init__(self) -> None:
        """No run has ended."""
        self._way = ("", "", "")
        self._times = 0

    def count(self, record: RunRecord) -> int:
        """How many in a row, with this run that has ended, failed as it did; 0 when it did not fail."""
        failure = record.failure
        way = (record.status, failure.kind, _gist(failure.message)) if failure else ("", "", "")
        self._times = self._times + 1 if way == self._way else 1
        self._way = way
        return self._times if failure else 0


def _gist(message: str) -> str:
    """The message without numbers and paths, which are each run's own."""
    return " ".join(word for word in message.split() if not _OWN.search(word))
