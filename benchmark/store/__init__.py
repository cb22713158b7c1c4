"""The results folder: the only module that writes below results/, one atomic file at a time.

results/<sweep>/
    leaderboard.csv  leaderboard.md  costs.csv  runs.csv      rewritten as runs finish
    manifest.csv  manifest.json                               the pictures, their labels and split
    runs/<run id>/
        record.json          state, metrics, cost, environment; written last, so `ok` means complete
        predictions.parquet  validation.parquet               probabilities of every picture
        history.csv  config.yaml  log.txt  [model.keras]

record.json ends with the checksums of the files beside it (`files`) and of its own content (`sha256`).
"""

from benchmark.store.files import (
    KEPT_FILES,
    RESULT_FILES,
    SPLIT_FILES,
    BrokenRecord,
    file_checksum,
    make_sweep_directory,
    replacing,
    run_directory,
    write_text,
)
from benchmark.store.reading import (
    BrokenRun,
    NoSuchSweep,
    Stored,
    Survey,
    changed_files,
    load_predictions,
    load_record,
    load_records,
    load_stored,
    survey,
)
from benchmark.store.writing import write_config, write_history, write_predictions, write_record

__all__ = [
    "KEPT_FILES",
    "RESULT_FILES",
    "SPLIT_FILES",
    "BrokenRecord",
    "BrokenRun",
    "NoSuchSweep",
    "Stored",
    "Survey",
    "changed_files",
    "file_checksum",
    "load_predictions",
    "load_record",
    "load_records",
    "load_stored",
    "make_sweep_directory",
    "replacing",
    "run_directory",
    "survey",
    "write_config",
    "write_history",
    "write_predictions",
    "write_record",
    "write_text",
]
