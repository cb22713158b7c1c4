"""The committed board of the quickstart is what its committed records and predictions give today."""

from pathlib import Path

import yaml

from benchmark import store
from benchmark.board import leaderboard
from benchmark.board.reading import read_board
from datasets.prepare import prepare
from datasets.spec import dataset_from_mapping

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference" / "quickstart"


def test_the_reference_board_is_rebuilt_to_the_same_bytes() -> None:
    records = store.load_records(REFERENCE)
    assert len(records) == 14
    board = leaderboard.build(
        records, lambda record: store.load_predictions(REFERENCE, record.run_id), "balanced_accuracy"
    )
    assert leaderboard.to_csv(board) == (REFERENCE / "leaderboard.csv").read_text("utf-8")
    assert leaderboard.to_markdown(board) == (REFERENCE / "leaderboard.md").read_text("utf-8")


def test_the_reference_speaks_of_the_digits_of_today(tmp_path: Path) -> None:
    options = yaml.safe_load((ROOT / "conf" / "dataset" / "schema.yaml").read_text("utf-8"))
    options |= yaml.safe_load((ROOT / "conf" / "dataset" / "digits.yaml").read_text("utf-8"))
    options.pop("defaults")
    chosen = dataset_from_mapping(options)
    manifest = prepare(chosen.spec, chosen.location, tmp_path, 1, None)
    board = read_board((REFERENCE / "leaderboard.csv").read_text("utf-8"), "reference")
    assert set(board["fingerprint"]) == {manifest.fingerprint}
