"""Function pointers that calls hand out (AcceptEx and its like): numbers for the caller, callables inside."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

_functions: dict[int, Callable[..., Any]] = {}
_addresses: dict[Callable[..., Any], int] = {}
_anchors: list[Any] = []  # the bytes whose addresses stand for functions: never freed, so never given out twice
_lock = threading.Lock()


def address_of(call: Callable[..., Any]) -> int:
    """The function pointer that stands for a C-shaped call; the same each time."""
    with _lock:
        address = _addresses.get(call)
        if address is None:
            anchor = ctypes.create_string_buffer(16)
            _anchors.append(anchor)
            address = _addresses[call] = ctypes.addressof(anchor)
            _functions[address] = call
        return address


def function(address: int) -> Callable[..., Any]:
    """The callable behind a function pointer that a call handed out.

    KeyError for an address that is none.
    """
    try:
        return _functions[address]
    except KeyError:
        raise KeyError(f"{address:#x} is not the address of a function that winsock handed out") from None
