"""What the system refuses is a sentence with the file and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import explain, sentence


def test_a_file_that_cannot_take_its_place_is_named_and_not_its_temporary_name(tmp_path: Path) -> None:
    (tmp_path / "model.keras" / "in the way").mkdir(parents=True)
    (tmp_path / ".model.tmp").touch()
    with pytest.raises(IsADirectoryError) as caught:
        (tmp_path / ".model.tmp").replace(tmp_path / "model.keras")
    said = sentence(caught.value)
    assert said.startswith(f"found `Is a directory` at {tmp_path}/model.keras; expected")
    assert ".model.tmp" not in said
    assert "move it away" in said


def test_a_reader_that_went_away_is_not_called_a_trouble_of_the_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(BrokenPipeError(32, "Broken pipe")) == 1
    said = capsys.readouterr().err
    assert "nobody who reads" in said
    assert "same command again" in said
    assert "permissions" not in said
