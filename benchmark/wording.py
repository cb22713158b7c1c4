"""Wording: numbers and the things they count, in text for people."""


def amount(value: float) -> str:
    """A measured amount to three digits: `0.012`, `43.2`, `1,130`."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def plural(number: int, thing: str) -> str:
    """`run` where it is one, else `runs`."""
    return thing if number == 1 else f"{thing}s"


def counted(number: int, thing: str) -> str:
    """`1 run`, `12 runs`."""
    return f"{number} {plural(number, thing)}"


def counted_are(number: int, thing: str) -> str:
    """`1 run is`, `12 runs are`."""
    return f"{counted(number, thing)} {'is' if number == 1 else 'are'}"
