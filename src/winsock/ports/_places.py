"""Where the store of persistent reservations lies."""

from __future__ import annotations

import os
from typing import Final

DIRECTORY: Final = "/var/lib/winsock"
VARIABLE: Final = "WINSOCK_PORTS_STORE"  # another directory
NAME: Final = "port-reservations"


def directory() -> str:
    """The store's directory."""
    return os.environ.get(VARIABLE) or DIRECTORY


def path() -> str:
    """The store's file."""
    return os.path.join(directory(), f"{NAME}.db")
