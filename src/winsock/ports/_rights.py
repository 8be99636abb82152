"""Who may make persistent reservations: Windows' administrators, and who stands for them here."""

from __future__ import annotations

import os

CAP_NET_ADMIN = 12


def administrator(directory: str) -> bool:
    """User 0, CAP_NET_ADMIN, or whom the machine's administrator lets write the store's directory."""
    return os.geteuid() == 0 or os.access(directory, os.W_OK, effective_ids=True) or capable(CAP_NET_ADMIN)


def capable(capability: int) -> bool:
    """Whether this thread has a capability."""
    try:
        with open("/proc/thread-self/status", encoding="ascii", errors="replace") as f:
            for line in f:
                if line.startswith("CapEff:"):
                    return bool(int(line.split()[1], 16) >> capability & 1)
    except (OSError, ValueError):
        pass
    return False
