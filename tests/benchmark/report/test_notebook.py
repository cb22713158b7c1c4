"""The notebook beside the reference results runs from its first cell to its last."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

REFERENCE = Path(__file__).resolve().parents[3] / "results" / "reference"


def test_every_cell_of_the_notebook_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((REFERENCE / "reading_results.ipynb").read_text("utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 5
    monkeypatch.chdir(REFERENCE)
    known: dict[str, Any] = {}
    for source in cells:
        exec(compile(source, "reading_results.ipynb", "exec"), known)
    assert not known["ranked"].empty
    assert isinstance(known["answers"], pd.DataFrame)
    assert known["wrong"]["right"].sum() == 0
    assert all(cell.get("outputs", []) == [] for cell in notebook["cells"])
