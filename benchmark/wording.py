"""Wording: numbers and the things they count, in text for people."""


def plural(number: int, thing: str) -> str:
    """`run` where it is one, else `runs`."""
    return thing if number == 1 else f"{thing}s"


def counted(number: int, thing: str) -> str:
    """`1 run`, `12 runs`."""
    return f"{number} {plural(number, thing)}"


def counted_are(number: int, thing: str) -> str:
    """`1 run is`, `12 runs are`."""
    return f"{counted(number, thing)} {'is' if number == 1 else 'are'}"
