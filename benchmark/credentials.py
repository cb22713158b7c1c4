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
