"""Windows' numbers and Linux' for the same things: families, types, levels, options, flags."""

from __future__ import annotations

import socket as linux
from typing import Any

from winsock.abi import _constants as c

FAMILIES: dict[int, int] = {
    c.AF_UNIX: int(linux.AF_UNIX),
    c.AF_INET: int(linux.AF_INET),
    c.AF_INET6: int(linux.AF_INET6),
}
FAMILIES_BACK: dict[int, int] = {v: k for k, v in FAMILIES.items()}
family_of: Any = vars(linux.SocketType)["family"].__get__  # a socket's, the kernel's number; endpoints say Windows'

# Flags of send and recv.  MSG_PUSH_IMMEDIATE and MSG_PARTIAL ask for nothing that Linux does otherwise.
_FLAGS = {
    c.MSG_OOB: int(linux.MSG_OOB),
    c.MSG_PEEK: int(linux.MSG_PEEK),
    c.MSG_DONTROUTE: int(linux.MSG_DONTROUTE),
}


def flags_to_host(flags: int) -> int:
    """MSG_* of Windows as MSG_* of Linux; MSG_WAITALL is the endpoint's own affair."""
    if not flags:
        return 0
    out = 0
    for theirs, ours in _FLAGS.items():
        if flags & theirs:
            out |= ours
    return out
