"""Rehearsals: one batch through every network of a planned sweep, in a process that may die of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from benchmark import environment
from benchmark.doctor import Finding, free_memory
from benchmark.jobs import Job

CLASSES = 10
SECONDS_AT_MOST = 600


def rehearse(jobs: Sequence[Job]) -> Iterator[Finding]:
    """Which devices TensorFlow finds, and what a batch through each network took, or why there was none.

    Weights are fetched if they are not there.
    """
    chosen: dict[str, Job] = {}
    for job in jobs:
        spec = job.spec
        key = f"{spec.backbone.model_dump_json()} {spec.dataset.image_size} {spec.training.batch_size}"
        if key not in chosen or spec.finetune.mode != "frozen":
            chosen[key] = job
    left = list(chosen.values())
    told = False
    while left:
        devices, answers, death = _ask(left)
        if devices is not None and not told:
            yield devices_finding(devices, environment.gpu_names(), environment.gpus())
            told = True
        for job, answer in zip(left, answers, strict=False):
            yield _finding(job, answer)
        left = left[len(answers) :]
        if left and death:
            yield Finding(_subject(left[0]), "problem", death, "lower training.batch_size or dataset.image_size")
            left = left[1:]


def devices_finding(devices: Sequence[str], named: Sequence[str], allowed: int) -> Finding:
    """What trains, by TensorFlow's kinds of devices, beside the GPUs that the driver names and how many are allowed."""
    names = ", ".join(named)
    if "GPU" in devices:
        return Finding("GPU", "ok", names or "one that the driver does not name")
    if not named:
        return Finding("GPU", "ok", "none: the CPU trains")
    if not allowed:
        return Finding("GPU", "ok", f"CUDA_VISIBLE_DEVICES hides {names}: the CPU trains")
    remedy = "pip install 'tensorflow[and-cuda]' in the locked version, or update the driver"
    return Finding("GPU", "warning", f"the driver names {names}, but TensorFlow finds none: the CPU trains", remedy)


class _Asked(NamedTuple):
    """What a fresh process said."""

    devices: list[str] | None
    """None where it ended before it could say."""
    answers: list[dict[str, Any]]
    death: str
    """How it ended, for when it owes answers."""


def _ask(jobs: Sequence[Job]) -> _Asked:
    """The answers of a fresh process."""
    requests = [
        {
            "spec": job.spec.model_dump(mode="json"),
            "classes": len(job.spec.dataset.classes or ()) or CLASSES,
            "weights_path": str(job.weights_path) if job.weights_path else None,
            "plugins": job.plugins,
        }
        for job in jobs
    ]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    text = "".join(json.dumps(request) + "\n" for request in requests)
    command = [sys.executable, "-m", "benchmark.model.rehearsal"]
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, env={**os.environ, **quiet},
            timeout=SECONDS_AT_MOST * len(jobs),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return _Asked(None, [], f"no answer after {SECONDS_AT_MOST * len(jobs)} s")
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    last = (done.stderr.strip().splitlines() or [""])[-1]
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}: {last[:200]}"
    devices = answers[0]["devices"] if answers else None
    return _Asked(devices, answers[1:], f"the process ended with {how}")


def _finding(job: Job, answer: dict[str, Any]) -> Finding:
    if "error" in answer:
        remedy = "read the sentence; `bench backbones` lists sizes and weights that there are"
        return Finding(_subject(job), "problem", answer["error"], remedy)
    text = f"a batch of {job.spec.training.batch_size} took {answer['seconds']:.1f} s, {answer['memory_mb']:.0f} MB"
    if not answer["finite"]:
        return Finding(_subject(job), "problem", f"{text}, with numbers that are not finite", "check the weights file")
    free = free_memory() / 1e6 / job.launcher.workers_here
    if answer["memory_mb"] > free:
        remedy = "lower launcher.workers, training.batch_size or dataset.image_size"
        return Finding(_subject(job), "warning", f"{text}, of {free:.0f} MB free for each worker", remedy)
    return Finding(_subject(job), "ok", text)


def _subject(job: Job) -> str:
    backbone, size = job.spec.backbone, job.spec.dataset.image_size
    return f"backbone {backbone.application or backbone.name} at {size} px, weights {backbone.weights}"
