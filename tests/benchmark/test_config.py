"""conf/ and the command line: every file composes, every mistake gets one sentence before anything heavy loads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from benchmark import config
from benchmark.errors import ConfigurationError
from benchmark.jobs import Job

ROOT = Path(__file__).resolve().parent.parent.parent
CONF = ROOT / "conf"
GROUPS = sorted((file.parent.name, file.stem) for file in CONF.glob("*/*.yaml") if file.stem != "schema")


def compose_job(*overrides: str) -> Job:
    """The job that these words compose to."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        [job, *_] = config.to_jobs(config.without_machinery(compose("config", list(overrides))), overrides)
        return job


@pytest.mark.parametrize(("group", "name"), GROUPS)
def test_every_file_of_conf_composes_to_a_valid_run(group: str, name: str, tmp_path: Path) -> None:
    extra = ["dataset.image_size=75", f"dataset.root={tmp_path}", f"dataset.table={tmp_path}/table.csv"]
    extra += ["backbone.application=VGG16"] if (group, name) == ("backbone", "keras_application") else []
    assert compose_job(f"{group}={name}", *extra).spec.seed == 0


def test_a_pretrained_backbone_is_frozen_unless_the_command_says_otherwise() -> None:
    assert compose_job("backbone=xception", "dataset.image_size=75").spec.finetune.mode == "frozen"
    assert compose_job("backbone=xception", "dataset.image_size=75", "finetune=full").spec.finetune.mode == "full"
    assert compose_job("backbone=lenet").spec.finetune.mode == "full"


def test_the_image_size_left_open_is_the_backbones_own() -> None:
    assert compose_job("dataset=folder", "backbone=inceptionv3").spec.dataset.image_size == 299


def test_weights_from_a_file_are_identified_by_content_not_by_path(tmp_path: Path) -> None:
    jobs = []
    for folder in ("a", "b"):
        path = tmp_path / folder / "net.weights.h5"
        path.parent.mkdir()
        path.write_bytes(config.WEIGHTS_BEGIN[0] + b"the same bytes")
        jobs.append(compose_job("backbone=xception", "dataset.image_size=75", f"backbone.weights={path}"))
    assert jobs[0].spec == jobs[1].spec
    assert jobs[0].weights_path != jobs[1].weights_path
    assert jobs[0].spec.backbone.weights.startswith("net.weights.h5@sha256:")


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>not found</html>"])
def test_a_file_that_cannot_hold_weights_is_refused_before_anything_runs(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.weights.h5"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="does not begin as a file of weights does"):
        compose_job("backbone=xception", "dataset.image_size=75", f"backbone.weights={path}")


def test_paths_and_threads_do_not_change_what_a_run_is() -> None:
    here, there = compose_job(), compose_job("paths.results=/elsewhere", "machine.threads=7", "machine.save_model=true")
    assert here.spec.run_id("f") == there.spec.run_id("f")


@pytest.mark.parametrize("change", ["seed=1", "training.epochs=3", "weighting=balanced", "dataset.image_size=48"])
def test_what_changes_the_result_changes_the_run_id(change: str) -> None:
    assert compose_job().spec.run_id("f") != compose_job(change).spec.run_id("f")


def test_a_seed_makes_another_run_of_the_same_candidate() -> None:
    assert compose_job().spec.candidate("f") == compose_job("seed=1").spec.candidate("f")


def test_all_folds_are_run_when_none_is_named() -> None:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        jobs = config.to_jobs(
            config.without_machinery(compose("config", ["dataset.split=kfold", "dataset.folds=3"])), []
        )
    assert [job.spec.dataset.fold for job in jobs] == [0, 1, 2]
    assert len({job.spec.candidate("f") for job in jobs}) == 1
    assert len({job.spec.run_id("f") for job in jobs}) == 3


MISTAKES = [
    (["backbone=shalownet"], 1, "did you mean 'shallownet'"),
    (["backbone.name=shalownet"], 1, "did you mean 'shallownet'"),
    (["training.epoch=3"], 1, "did you mean 'training.epochs'"),
    (["training.epochs=0"], 1, "training.epochs"),
    (["training.epochs=three"], 1, "training.epochs=three"),
    (["bakbone=lenet"], 1, "did you mean 'backbone'"),
    (["backbone=xception", "dataset.image_size=32"], 1, "71"),
    (["backbone=xception", "backbone.weights=nowhere.h5"], 1, "no weights file"),
    (["backbone=xception", "backbone.weights=imagnet"], 1, "did you mean 'imagenet'"),
    (["sweep.primary=acuracy"], 1, "did you mean 'accuracy'"),
    (["training.monitor=val_acc"], 1, "did you mean 'val_accuracy'"),
    (["backbone=lenet,minivgg"], 1, "python -m benchmark -m"),
    (["dataset.parts={train:"], 1, "quotation marks"),
    (["weighting.rule=balancd"], 1, "did you mean 'balanced'"),
    (["finetune=staged", "finetune.frozen_epochs=15"], 1, "at least one epoch for the second stage"),
    (["sweep.primary=ece"], 1, "set sweep.primary"),
    (["sweep.name=../up"], 1, "sweep.name"),
    (["plugins=[no_such_module]"], 1, "no plug-in 'no_such_module'"),
    (["dataset=folder"], 1, "root"),
    (["dataset=schema"], 1, "no value for dataset.name"),
    (["dataset=schemas"], 1, "expected one of digits, folder, given_split, shapes, table"),
    (["dataset=folder", "dataset.root=nowhere"], 1, "nowhere"),
    (["dataset=table", "dataset.table=nowhere.csv"], 1, "nowhere.csv"),
    (["-m", "backbone=lenet,shalownet"], 1, "did you mean 'shallownet'"),
    (["-m", "launcher=ray"], 1, "hydra/launcher=ray"),
    (["-m", "hydra/launcher=ray", "launcher=ray"], 1, "hydra/launcher=ray"),
    (["-m", "hydra/launcher=basic", "hydra.launcher.n_jobs=2"], 1, "n_jobs"),
    (["-m", "hydra/launcher=ray", "launcher.ray.address=localhost"], 1, "expected auto, local or HOST:PORT"),
    (["paths.results=/proc/results"], 1, "/proc/results"),
]


@pytest.mark.parametrize(("words", "code", "message"), MISTAKES, ids=[" ".join(words) for words, *_ in MISTAKES])
def test_a_mistake_gets_one_sentence_and_its_exit_code(
    words: list[str], code: int, message: str, tmp_path: Path
) -> None:
    results = [] if any("paths.results" in word for word in words) else [f"paths.results={tmp_path}/results"]
    command = [sys.executable, "-X", "importtime", "-m", "benchmark", *words, *results]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == code, lines
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert not loaded & {"tensorflow", "keras", "mlflow", "matplotlib"}
    assert not list(tmp_path.glob("results/*/runs")), "nothing half-written"


def test_help_answers_without_anything_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "benchmark", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ})
    assert done.returncode == 0
    assert "tensorflow" not in done.stderr
