"""One sentence and one exit code for whatever goes wrong: the outermost frame of both command lines."""

from __future__ import annotations

import errno
import os
import sys
import traceback

from benchmark.credentials import without_credentials

DONE = 0
USAGE = 1
DATA = 2
RUNS_FAILED = 3
REGRESSION = 4
NOT_COMPARABLE = 5
INTERRUPTED = 130

_PATHS = "paths.results=DIR or paths.cache=DIR"
_OURS = ("benchmark", "backbones", "datasets")


class ConfigurationError(ValueError):
    """Something the user must change in the command or in conf/."""


def explain(error: BaseException) -> int:
    """Print what went wrong on stderr and return the exit code it stands for."""
    if isinstance(error, KeyboardInterrupt):
        print("interrupted: the same command again finishes the rest", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    if _is_expected(error):
        print(f"error: {sentence(error)}", file=sys.stderr)  # noqa: T201
        return _code(error)
    if os.environ.get("BENCH_DEBUG"):
        print(without_credentials("".join(traceback.format_exception(error))), end="", file=sys.stderr)  # noqa: T201
    else:
        print(  # noqa: T201
            f"error: {type(error).__name__}: {sentence(error)} (a mistake of the program, not of yours; "
            "BENCH_DEBUG=1 shows where)",
            file=sys.stderr,
        )
    return USAGE


def sentence(error: BaseException) -> str:
    """What the error says without passwords, an operating-system error with its file and way out."""
    if isinstance(error, BrokenPipeError) and not error.filename:
        return (
            "found nobody who reads what is printed (`| head`?); expected a reader to the end: send it to a file, and "
            "give the same command again, which finishes the rest"
        )
    if isinstance(error, OSError) and error.errno is not None:
        place = error.filename2 or error.filename  # of a file that takes another's place its own
        where = f" at {place}" if place else ""
        return f"found `{os.strerror(error.errno)}`{where}; expected to read and write there: {_way_out(error.errno)}"
    return without_credentials(str(error)) or type(error).__name__


def first_line(error: BaseException) -> str:
    """The first line of the error that says something."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _is_expected(error: BaseException) -> bool:
    """Whether the error speaks to the user: one of our own classes, or the operating system's refusal."""
    module = type(error).__module__.partition(".")[0]
    return module in _OURS or (isinstance(error, OSError) and error.errno is not None)


def _code(error: BaseException) -> int:
    """The class's own `exit_code`, or that of a mistake in the command."""
    return int(getattr(error, "exit_code", USAGE))


def _way_out(number: int) -> str:
    """The remedy for an operating-system error."""
    remedies = {
        errno.ENOSPC: f"free some space, or choose another disk with {_PATHS}",
        errno.EDQUOT: f"free some of your quota, or choose another disk with {_PATHS}",
        errno.EACCES: f"choose a folder you may write with {_PATHS}, or change its permissions",
        errno.EPERM: f"choose a folder you may write with {_PATHS}, or change its permissions",
        errno.EROFS: f"choose a writable disk with {_PATHS}",
        errno.ENOENT: f"check the path; a sweep's own folders are chosen with {_PATHS}",
        errno.ENOTDIR: f"a part of the path is a file: choose another folder, a sweep's with {_PATHS}",
        errno.EISDIR: "a folder stands where a file is needed: move it away",
        errno.EEXIST: f"a file stands where a folder is needed: choose another folder, a sweep's with {_PATHS}",
    }
    return remedies.get(number, "check the path, the disk and its permissions")
