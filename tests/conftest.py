"""What holds for the whole test run. `BENCH_TESTS=all` runs the long forms of tests that otherwise take a sample."""

import signal

import pytest

SLOW = ("tests/resilience/", "tests/simulation/", "tests/benchmark/test_", "tests/benchmark/model/")

# A shell that starts the tests in the background lets all of their children ignore Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slowest files, so that the processes that share the tests end together."""
    items.sort(key=lambda item: next((at for at, start in enumerate(SLOW) if item.nodeid.startswith(start)), len(SLOW)))
