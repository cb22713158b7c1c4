"""Addresses without the user names, passwords and tokens in them."""

from __future__ import annotations

import re

# Hydra escapes the colon of an address where it repeats a word of the command line.
_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*\\?://)[^\s'\"]*@")
_SECRET = re.compile(r"([?&;](?:[a-z_.-]*(?:passw(?:or)?d|token|secret|key))=)[^\s&;'\"]+", re.IGNORECASE)
HIDDEN = "***"


def without_credentials(text: str) -> str:
    """The text with `***` in place of what stands before the @ of an address, and of passwords among its options."""
    return _SECRET.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1{HIDDEN}@", text))


def stripped(uri: str) -> str:
    """The address without what stands before its @ and without passwords among its options."""
    address, _, options = _USER.sub(r"\1", uri).partition("?")
    kept = [option for option in re.split("[&;]", options) if option and not _SECRET.match(f"?{option}")]
    return f"{address}?{'&'.join(kept)}" if kept else address
