"""References: the baselines of every split, computed once; a candidate that does not beat them has learnt nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from benchmark import baselines, claims, store
from benchmark.jobs import Sweep
from benchmark.planning import Plan, Planned, is_stale
from benchmark.records import RunRecord
from datasets.pixels import pixels

if TYPE_CHECKING:
    from benchmark.illustration import Illustrator
    from benchmark.tracking import SweepTracker
    from benchmark.untracked import NoTracker


def missing(plan: Plan) -> list[Planned]:
    """A run of every split whose reference rows are not there yet."""
    known = {record.run_id: record for record in plan.known}
    splits = {one.data.path: one for one in plan.asked.values()}
    return [
        one
        for one in splits.values()
        if not all(_is_kept(known.get(record.run_id), one.job.sweep) for record in _baselines(one))
    ]


def compute(planned: Planned, tracker: SweepTracker | NoTracker, illustrator: Illustrator) -> None:
    """The reference rows on the pictures of this run, except those that another process is at or has just made."""
    directory = planned.job.directory
    for record in _baselines(planned):
        lock = claims.claim(directory, record.run_id)
        if lock is None:
            continue
        try:
            if not _is_kept(_known(planned, record.run_id), planned.job.sweep):
                _compute(planned, record, tracker, illustrator)
        finally:
            lock.release()


def _compute(planned: Planned, record: RunRecord, tracker: SweepTracker | NoTracker, illustrator: Illustrator) -> None:
    job, manifest = planned.job, planned.data.manifest
    tracker.start(record, manifest)
    small = pixels(manifest, baselines.SIZE, "squish", job.paths.cache, job.machine.workers, None)
    finished, predictions = baselines.run(record, manifest, small.array)
    store.write_predictions(job.directory, record.run_id, "test", predictions.test)
    store.write_predictions(job.directory, record.run_id, "val", predictions.val)
    store.write_record(job.directory, finished)
    illustrator.draw(finished)  # the execution sends it with the runs whose pages are drawn


def _baselines(planned: Planned) -> list[RunRecord]:
    return baselines.planned(planned.record, planned.job.spec.dataset)


def _known(planned: Planned, run_id: str) -> RunRecord | None:
    """The record as it lies on disk now; None where there is no whole one."""
    with contextlib.suppress(store.BrokenRecord):
        return store.load_record(store.run_directory(planned.job.directory, run_id))
    return None


def _is_kept(known: RunRecord | None, sweep: Sweep) -> bool:
    """Whether the row is there and as it should be."""
    return known is not None and known.finished and (sweep.stale == "keep" or not is_stale(known))
