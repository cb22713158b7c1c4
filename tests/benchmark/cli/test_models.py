"""bench backbones: counts that the studies published, mistakes that need no Keras."""

import json
import subprocess
import sys

import pytest

from benchmark.cli import run


def test_the_counts_are_those_of_the_studies(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["backbones", "mobilenetv3small", "inceptionv3", "--image-size", "64", "--head", "dense", "-f", "json"]
    assert run(words) == 0
    small, inception = json.loads(capsys.readouterr().out)
    assert (small["total"], small["trainable"], small["features"]) == ("1,014,266", "75,146", "576")
    assert inception["total"] == "needs 75 pixels"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["backbones", "mobilenetv3smal"], "did you mean 'mobilenetv3small'"),
        (["backbones", "lenet", "--head", "dens"], "unknown head 'dens'"),
        (["backbones", "lenet", "--finetune", "half"], "expected frozen or full"),
        (["ui", "/nowhere"], "found no MLflow database /nowhere/mlflow.db"),
    ],
)
def test_a_mistake_gets_one_sentence(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["metrics"], ["backbones", "nosuch"], ["leaderboard", "nowhere"]])
def test_the_command_line_loads_nothing_heavy(words: list[str]) -> None:
    code = "import sys; from benchmark.cli import run; run(sys.argv[1:]); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    for name in ("tensorflow", "keras", "mlflow", "matplotlib"):
        assert f"'{name}'" not in done.stderr
