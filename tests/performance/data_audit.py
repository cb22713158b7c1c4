"""What an audit costs, as ratios in one run: python tests/performance/data_audit.py [FILES] [WORKERS]

The bounds: a first audit takes at most 3 times a bare decoding pass with the same processes, under 1 GiB of memory in
all its processes; a second one takes under 5 % of the first. Pictures of 32 pixels are the hardest case: next to
nothing to decode, everything else to do.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import yaml
from PIL import Image

from datasets.audit import audit
from datasets.processes import completed, process_pool
from datasets.spec import dataset_from_mapping

CONF = Path(__file__).resolve().parents[2] / "conf" / "dataset"
CHUNK = 128


class Cost(NamedTuple):
    """Wall seconds and the largest resident memory of this process and its children in MiB."""

    seconds: float
    mebibytes: float


def make_pictures(root: Path, number: int) -> list[str]:
    """Write so many different JPEG files of 32 x 32 in ten class folders; their paths."""
    random = np.random.default_rng(0)
    paths = [f"class{index % 10}/{index:06d}.jpg" for index in range(number)]
    for label in {path.partition("/")[0] for path in paths}:
        (root / label).mkdir()
    for path in paths:
        coarse = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC).save(root / path, quality=90)
    return paths


def decode_only(root: str, paths: list[str]) -> int:
    """Decode the files and do nothing with them."""
    for path in paths:
        with Image.open(f"{root}/{path}") as image:
            image.convert("RGB")
    return len(paths)


def bare_pass(root: Path, paths: list[str], workers: int) -> None:
    """One pass of decoding with a pool like the audit's."""
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    with process_pool(workers) as pool:
        for _, future in completed(pool, partial(decode_only, str(root)), chunks, 2 * workers):
            future.result()


@contextmanager
def measured(costs: list[Cost]) -> Iterator[None]:
    """Append the block's cost to the list."""
    stop, peak = threading.Event(), [0.0]

    def watch() -> None:
        me = psutil.Process()
        while not stop.wait(0.05):
            found = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    found += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], found / 2**20)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.perf_counter()
    try:
        yield
    finally:
        costs.append(Cost(time.perf_counter() - begin, 0))
        stop.set()
        watcher.join()
        costs[-1] = costs[-1]._replace(mebibytes=peak[0])


def main() -> None:
    """Make the pictures, measure, print."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "pictures"
        root.mkdir()
        paths = make_pictures(root, number)
        options = yaml.safe_load((CONF / "schema.yaml").read_text("utf-8"))
        options |= {"name": "speed", "source": "folder", "root": root, "image_size": 32}
        spec, location = dataset_from_mapping(options)
        costs: list[Cost] = []
        for _ in range(2):
            with measured(costs):
                bare_pass(root, paths, workers)
        for _ in range(2):
            with measured(costs):
                audit(spec, location, Path(folder) / "cache", workers, None)
    bare, first, second = min(costs[:2]), costs[2], costs[3]
    sys.stdout.write(
        f"{number} files, {workers} processes\n"
        f"bare decoding  {bare.seconds:6.2f} s\n"
        f"first audit    {first.seconds:6.2f} s = {first.seconds / bare.seconds:.2f} times (bound 3), "
        f"{first.mebibytes:.0f} MiB (bound 1024)\n"
        f"second audit   {second.seconds:6.2f} s = {second.seconds / first.seconds:.1%} of the first (bound 5 %)\n"
    )


if __name__ == "__main__":
    main()
