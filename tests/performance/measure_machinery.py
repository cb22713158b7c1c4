"""What a sweep costs besides its arithmetic: overhead a run, finished runs, planning, and memory."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from figures import Figure, Goal, Round, Work, median, under
from measure_sweeps import SMALL
from measuring import ROOT, Setting, costs, fresh, ours, quiet, rounds

SHALLOW = ("dataset=digits", "finetune=full", "head=linear", "backbone=shallownet", "training.epochs=2")
SECONDS_BETWEEN_LOOKS = 0.2
DIGITS = 1069
"""Pictures of the digits."""


def measure(setting: Setting) -> Iterator[Figure]:
    """All figures of the machinery."""
    yield from _overhead(setting, "no pages, no latency", SMALL)
    yield from _overhead(setting, "the defaults", ())
    yield _plan(setting)
    yield _memory(setting)


def _overhead(setting: Setting, kind: str, words: tuple[str, ...]) -> Iterator[Figure]:
    """A sweep of a hundred runs and the same again: between two records, and of the whole."""
    seeds = setting.many(50, 2)
    runs = 2 * seeds
    gaps, shares, again, walls = [], [], [], []
    for turn in rounds(setting, f"a sweep of 100 runs with {kind}"):
        results = fresh(setting.scratch / f"hundred{turn}")
        sweep = (*SHALLOW, *words, "weighting=none,balanced", f"seed=range({seeds})", f"paths.results={results}")
        walls.append(ours(*sweep))
        found = costs(results)
        learning = found["seconds_train"] + found["seconds_predict"] + found["seconds_features"]
        gaps.append(Round(median(np.diff(found["ended"]) - learning[1:])))
        shares.append(Round((walls[-1] - learning.sum()) / runs))
        again.append(Round(ours(*sweep)))
    note = f"the sweeps took {', '.join(f'{wall:.0f}' for wall in walls)} s"

    def figure(name: str, goal: Goal | None, values: list[Round]) -> Figure:
        return Figure(Work(f"{name}, {kind}", goal, "digits", "random", DIGITS, runs, 2), values, note)

    yield figure("overhead a run, sweep of 100: median from record to record", under(0.3, "s"), gaps)
    yield figure("overhead a run, sweep of 100: (wall - training - prediction) / runs, start-up included", None, shares)
    yield figure("the same sweep of 100 finished runs again", under(5, "s"), again)


def _plan(setting: Setting) -> Figure:
    """Seconds of a dry run of a thousand jobs, start-up included."""
    found, seeds = [], setting.many(50, 2)
    for _ in rounds(setting, "a plan of 1,000 jobs"):
        begun = time.perf_counter()
        words = [sys.executable, "-m", "benchmark", "-m", "backbone=shallownet,lenet,minivgg,xception,resnet50v2"]
        words += ["dataset.image_size=75", "backbone.weights=none", "weighting=none,balanced", "finetune=frozen,full"]
        words += [f"seed=range({seeds})", "launcher.dry_run=true", f"paths.results={setting.scratch}/plan"]
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT, env=quiet())
        assert f"{20 * seeds} runs" in done.stdout
        found.append(Round(time.perf_counter() - begun))
    work = Work("composing, validating and planning 1,000 jobs", under(60, "s"), "digits", "random", DIGITS, 1000, 15)
    return Figure(work, found, "five backbones, start-up included")


def _memory(setting: Setting) -> Figure:
    """The highest memory of all processes of a long sweep together, once: it takes minutes."""
    seeds = setting.many(100, 2)
    name = "memory of 200 sequential runs of mobilenetv3small, all processes"
    print(name, flush=True)
    results = fresh(setting.scratch / "memory")
    words = ["dataset=digits", "dataset.max_per_class=10", "backbone=mobilenetv3small", "backbone.weights=none"]
    words += ["finetune=full", "training.epochs=1", "head=linear,dense", f"seed=range({seeds})"]
    begun = time.perf_counter()
    highest = _highest([*words, "report.level=none", f"paths.results={results}"], results / "out.txt")
    worker = costs(results)["peak_memory_mb"].max() * 1e6 / 2**30
    work = Work(name, under(3, "GiB"), "digits", "random", 100, 2 * seeds, 1)
    note = f"GiB, resident, pages that processes share counted for each; the worker alone {worker:.2f}; "
    note += f"{time.perf_counter() - begun:.0f} s, measured once"
    return Figure(work, [Round(highest)], note)


def _highest(words: list[str], output: Path) -> float:
    """The most GiB that the sweep's processes were seen to hold at one moment."""
    command, most = [sys.executable, "-m", "benchmark", "-m", *words], 0
    with output.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file, cwd=ROOT, env=quiet()) as sweep:
        parent = psutil.Process(sweep.pid)
        while sweep.poll() is None:
            most = max(most, sum(map(_resident, [parent, *parent.children(recursive=True)])))
            time.sleep(SECONDS_BETWEEN_LOOKS)
    if sweep.returncode:
        raise RuntimeError(f"found exit code {sweep.returncode}, expected 0: {output.read_text()[-2000:]}")
    return most / 2**30


def _resident(process: psutil.Process) -> int:
    """Bytes in memory; 0 of a process that has just ended."""
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0
