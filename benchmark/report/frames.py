"""A sweep as DataFrames, for notebooks and scripts; `from benchmark import load_leaderboard` and so on."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark import store
from benchmark.board import leaderboard
from benchmark.board.candidates import fold_of
from benchmark.metrics import SMALLEST_PROBABILITY
from benchmark.predictions import Predictions
from benchmark.records import RunRecord
from benchmark.report.pictures import Pictures, pictures_of

PREDICTION_COLUMNS = (
    "run_id", "candidate", "seed", "fold", "image", "path", "group", "truth", "guess", "right", "confidence",
    "probability_of_truth", "loss",
)  # fmt: skip


class NoSuchRun(ValueError):
    """A run that the sweep's folder does not hold, or that has no result."""


def load_leaderboard(directory: str | os.PathLike[str]) -> pd.DataFrame:
    """The leaderboard of a sweep: one row a candidate, in the board's order.

    The columns are those of leaderboard.csv (`benchmark.board.columns.COLUMNS`), computed from the records:

    - `schema_version`: of these columns, 2;
    - `rank`, `rank_low`, `rank_high`, `tied_with_best`: places; missing for rows without a rank, whose `status` says
      why;
    - `backbone`, `head`, `finetune`, `weighting`, `augmentation`, `image_size` (pixels a side), `weights`, `training`:
      the recipe; `variant`: what tells it from rows with the same recipe, as `head.dropout=0.3`;
    - `test_<metric>`, mean over seeds; `test_<metric>_low`, `test_<metric>_high`: its 95 % interval;
      `test_<metric>_seed_sd`: its standard deviation over seeds. Metrics: balanced_accuracy, macro_f1, accuracy,
      log_loss, ece;
    - `image_sd`: standard deviation of the primary metric that another draw of test pictures would cause;
    - `val_primary`: the primary metric on validation; `val_rank`: the place by it; `val_minus_test`: how far it is
      above the test's;
    - `gap_to_best_low`, `gap_to_best_high`: how much better the best may be;
    - `worst_class`, `worst_class_recall`, `total_parameters`, `trainable_parameters`, `flops` (of one picture);
      `on_front`: whether no row is better and smaller and cheaper;
    - `n_seeds` (complete ones), `n_planned`, `n_folds`, `n_failed` (runs); `primary`: the metric of the ranking;
      `fingerprint`: of pictures, labels and split; `candidate`: the row's id.

    Args:
        directory: the sweep's folder, `results/<sweep.name>`.

    Raises:
        NoSuchSweep: the folder is not there, or holds no run.
        BrokenRecord: a record or a result is not what was written.
    """
    records = _records(Path(directory))
    return leaderboard.build(records, lambda one: _load(Path(directory), one, "test"), records[0].primary).table


def load_runs(directory: str | os.PathLike[str]) -> pd.DataFrame:
    """Every run of a sweep, failed and pending ones included: one row a run, ordered by candidate and seed.

    The columns are those of runs.csv:

    - `run_id`, `candidate`, `sweep`, `status`, `seed`, `fold`, `started` (UTC, ISO 8601);
    - `spec.<option>`: every option of the specification, such as `spec.training.epochs`; of a baseline
      `spec.baseline` says which it is, and `spec.dataset` (the data set's name), `spec.image_size` (pixels a side, 0
      without one) and `spec.fold` stand in place of all options;
    - `test_<metric>`, `val_<metric>`; `parameters_<which>`; `cost_<what>` (seconds, megabytes, epochs);
    - `commit`, `diff` (checksum of what is in no commit) and `python` of the code that computed it;
    - `failure_kind`, `failure_message`; `command`, which does the run again.

    A column takes its type from its values; one without any is Int64, whatever the option would be.

    Args:
        directory: the sweep's folder.

    Raises:
        NoSuchSweep, BrokenRecord: as `load_leaderboard`.
    """
    text = leaderboard.runs_csv(_records(Path(directory)))
    # `none` and `null` are names of choices here; only an empty cell is missing.
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""], dtype_backend="numpy_nullable")


def load_predictions(
    directory: str | os.PathLike[str], runs: Sequence[str] | None = None, split: str = "test"
) -> pd.DataFrame:
    """What finished runs said about every picture of a split: one row for each run and picture.

    - `run_id`, `candidate`, `seed`, `fold` (missing without k-fold);
    - `image`: sha256 of the decoded pixels; `path`: inside the data set, empty without the sweep's manifest; `group`:
      of copies or of one event, whose pictures are not independent;
    - `truth`, `guess`: names of classes, categorical; `right`: whether they agree;
    - `confidence`: probability of the guess; `probability_of_truth`; `loss`: its negative natural logarithm;
    - `p_<class>`: the probability of each class, 0..1.

    Args:
        directory: the sweep's folder.
        runs: run ids; all finished runs if not given.
        split: test or val.

    Raises:
        NoSuchSweep, BrokenRecord: as `load_leaderboard`.
        NoSuchRun: one of `runs` is not there or has no result, or there is no such split.
    """
    folder = Path(directory)
    if split not in store.SPLIT_FILES:
        raise NoSuchRun(f"found split={split!r}; expected one of {', '.join(store.SPLIT_FILES)}")
    finished = {record.run_id: record for record in _records(folder) if record.finished}
    unknown = sorted(set(runs or ()) - finished.keys())
    if unknown:
        raise NoSuchRun(
            f"found no finished run {unknown[0]!r} in {folder}; expected run ids of status ok: see load_runs"
        )
    chosen = [finished[run_id] for run_id in (finished if runs is None else runs)]
    frames = [_frame(record, _load(folder, record, split), pictures_of(folder, record)) for record in chosen]
    if not frames:
        return pd.DataFrame(columns=list(PREDICTION_COLUMNS))
    return pd.concat(frames, ignore_index=True)


def _records(directory: Path) -> list[RunRecord]:
    records = store.load_records(directory)
    if not records:
        raise store.NoSuchSweep(f"found no run in {directory}; expected a sweep's folder, results/<sweep.name>")
    return records


def _load(directory: Path, record: RunRecord, split: str) -> Predictions:
    return store.load_predictions(directory, record.run_id, split)


def _frame(record: RunRecord, found: Predictions, pictures: Pictures) -> pd.DataFrame:
    """One run's predictions; the columns of probabilities come last."""
    names = [found.classes[label] for label in found.truth.tolist()]
    known = pictures.manifest is not None
    paths = [
        pictures.path(image, name) if known else "" for image, name in zip(found.images.tolist(), names, strict=True)
    ]
    table = pd.DataFrame(
        {
            "run_id": record.run_id,
            "candidate": record.candidate,
            "seed": record.seed,
            "fold": pd.Series([fold_of(record)] * len(names), dtype="Int64"),
            "image": found.images,
            "path": paths,
            "group": found.groups,
            "truth": pd.Categorical.from_codes(found.truth, categories=pd.Index(found.classes)),
            "guess": pd.Categorical.from_codes(found.guess, categories=pd.Index(found.classes)),
            "right": found.guess == found.truth,
            "confidence": found.confidence,
            "probability_of_truth": found.probability_of_truth,
            "loss": -np.log(np.clip(found.probability_of_truth, SMALLEST_PROBABILITY, 1)),
        }
    )
    columns = [f"p_{name}" for name in found.classes]
    return pd.concat([table, pd.DataFrame(found.probabilities, columns=columns)], axis=1)
