"""The modules that networking code finds in place of this machine's."""

from __future__ import annotations

from types import ModuleType

from winsock.python import _errno, _msvcrt, _overlapped, _overlay, _select, _socket_module, _ssl, _winapi


def replaced() -> tuple[dict[str, ModuleType], dict[str, ModuleType]]:
    """{name: module}: all of them, and those that have to do with sockets alone."""
    sockets = {
        "errno": _errno.make_module(),
        "select": _select.make_module(),
        "_socket": _socket_module.make_module(),
    }
    ssl = _ssl.make_module()
    if ssl is not None:
        sockets["_ssl"] = ssl
    windows = {
        **sockets,
        "_overlapped": _overlapped.make_module(),
        "_winapi": _winapi.make_module(),
        "msvcrt": _msvcrt.make_module(),
        "os": _overlay.os_view(),
        "platform": _overlay.platform_view(),
        "signal": _overlay.signal_view(),
        "sys": _overlay.sys_view(),
        "sysconfig": _overlay.sysconfig_view(),
    }
    return windows, sockets
