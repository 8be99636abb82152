"""winsock: Windows Sockets 2 for Python, on Linux.

    import winsock.ws2_32 as ws         the C-shaped API: C names, return values, WSAGetLastError()
    winsock.Process()                   a fresh Windows process; `with process.attached():`
    winsock.function(address)           the callable behind a function pointer that a call handed out
    winsock.codes                       every error code and what it means

Importing this package imports nothing else; its parts load when first used.
"""

from __future__ import annotations

from winsock._version import __version__ as __version__

TYPE_CHECKING = False  # typing's, without its import: `winsock explain` is to start fast
if TYPE_CHECKING:
    from winsock.api._pointers import function as function
    from winsock.codes import WinsockError as WinsockError
    from winsock.nt import Process as Process

_PARTS = {"Process": "winsock.nt", "function": "winsock.api._pointers", "WinsockError": "winsock.codes"}


def __getattr__(name: str) -> object:
    if name in _PARTS:
        from importlib import import_module

        value: object = getattr(import_module(_PARTS[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'winsock' has no attribute {name!r}")
