"""Where the planning process of a sweep spends its time: our_profile.py OPTIONS

OPTIONS is a list in JSON, of what `python -m benchmark -m` shall be given.
Looks at the stack of the main thread many times a second, which costs it next to nothing, and gives each look to the
innermost function that a part of PARTS names. Prints the seconds of all parts, which add up to the life of the process.
"""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

SECONDS_BETWEEN_LOOKS = 0.005
START_UP = "start-up: Python, modules, Hydra"
PARTS = (
    ("waiting for the worker", "benchmark/crew/", "wait"),
    ("ending the worker", "benchmark/crew/", "stop"),
    ("MLflow: loading, opening, writing", "benchmark/tracking/", ""),
    ("board: statistics and files", "benchmark/publish.py", ""),
    ("report: page", "benchmark/report/", ""),
    ("baselines", "benchmark/references.py", ""),
    ("pictures: looked at, split, decoded", "benchmark/planning.py", "prepare_all"),
    ("composing and validating the jobs", "benchmark/composition.py", ""),
    ("planning and laying out", "benchmark/sweep.py", "lay_out"),
    ("handing out and collecting", "benchmark/completion.py", "carry_out"),
)
"""A name, a part of a file's path, and a function in it; an empty name stands for all of the file."""


def main() -> None:
    """Run the sweep and print its parts."""
    born = psutil.Process().create_time()
    seen, sweeping = Counter[str](), threading.Event()
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    looking = threading.Thread(target=_look, args=(main_thread, seen, sweeping), daemon=True)
    seen[START_UP] += time.time() - born
    looking.start()
    from benchmark.__main__ import main as run

    sys.argv[1:] = ["-m", *json.loads(sys.argv[1])]
    try:
        run()
    except SystemExit as ended:
        if ended.code:
            raise
    sweeping.set()
    looking.join()
    print(json.dumps(seen))


def _look(thread: int, seen: Counter[str], sweeping: threading.Event) -> None:
    """Count the time from look to look for the part that is found at its end."""
    before = time.perf_counter()
    while not sweeping.wait(SECONDS_BETWEEN_LOOKS):
        frame, now = sys._current_frames()[thread], time.perf_counter()
        seen[next(_parts(frame), START_UP)] += now - before
        before = now


def _parts(frame: FrameType | None) -> Iterator[str]:
    """The parts that the stack is in, the innermost first."""
    while frame is not None:
        code = frame.f_code
        yield from (part for part, path, name in PARTS if path in code.co_filename and name in ("", code.co_name))
        frame = frame.f_back


main()
