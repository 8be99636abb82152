"""_ssl as on Windows: certificate stores, and errors of the socket underneath with Windows' numbers."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from types import GetSetDescriptorType, ModuleType
from typing import Any

from winsock.abi import _constants as c
from winsock.codes import from_errno
from winsock.python import _oserror
from winsock.python._oserror import face
from winsock.python._overlay import overlay, seal
from winsock.python._socket import socket

ALL_PURPOSES = frozenset({"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.3", "1.3.6.1.5.5.7.3.4"})
ENCODING = "x509_asn"
CALLS = ("do_handshake", "read", "write")


def make_module() -> ModuleType | None:
    """The module `_ssl`; None in an interpreter without it."""
    try:
        import _ssl as real
    except ImportError:
        return None
    ssl_error: type[OSError] = real.SSLError

    def translated(e: BaseException) -> BaseException:
        """What the socket underneath said, in Windows' numbers; what TLS said stays."""
        if not isinstance(e, OSError) or isinstance(e, ssl_error) or e.errno is None or _oserror.is_windows(e):
            return e
        code = from_errno(e.errno, 0)
        return _oserror.winsock_error(code) if code else e

    class SSLSocket:
        """_ssl's object of a wrapped socket.

        twin    the C socket that it works on, which it knows by a weak reference
        """

        __slots__ = ("__weakref__", "_owner", "_real", "_twin", *CALLS)

        def __init__(self, real_socket: Any, twin: Any, owner: Any) -> None:
            object.__setattr__(self, "_real", real_socket)
            object.__setattr__(self, "_twin", twin)
            object.__setattr__(self, "_owner", weakref.ref(owner))
            for name in CALLS:
                object.__setattr__(self, name, face(getattr(real_socket, name), translated))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def __setattr__(self, name: str, value: Any) -> None:
            setattr(self._real, name, value)

        def shutdown(self) -> Any:
            below = self._real.shutdown()
            return self._owner() if below is self._twin else below

        shutdown = face(shutdown, translated)

    wrap: Callable[..., Any] = real._SSLContext._wrap_socket  # type: ignore[attr-defined]

    class _SSLContext(real._SSLContext):
        __slots__ = ()

        def _wrap_socket(self, sock: Any, *args: Any, **kwargs: Any) -> Any:
            twin = sock._twin() if isinstance(sock, socket) else sock
            return SSLSocket(wrap(self, twin, *args, **kwargs), twin, sock)

    for name, attribute in vars(real._SSLContext).items():
        if isinstance(attribute, GetSetDescriptorType):
            setattr(_SSLContext, name, attribute)  # they are its own, not inherited
    seal(_SSLContext)

    def enum_certificates(store_name: str) -> list[tuple[bytes, str, frozenset[str] | bool]]:
        """Retrieve certificates from Windows' cert store: here, the authorities that this machine trusts."""
        _check_store(store_name)
        return [(der, ENCODING, ALL_PURPOSES) for der in _authorities(real)]

    def enum_crls(store_name: str) -> list[tuple[bytes, str]]:
        """Retrieve CRLs from Windows' cert store: this machine keeps none there."""
        _check_store(store_name)
        return []

    return overlay(
        real, {"_SSLContext": _SSLContext, "enum_certificates": enum_certificates, "enum_crls": enum_crls}
    )


def _check_store(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"enum_certificates() argument 'store_name' must be str, not {type(name).__name__}")
    if not name:
        raise _oserror.winsock_error(c.ERROR_FILE_NOT_FOUND)


def _authorities(real: Any) -> list[bytes]:
    """DER of the certificates that OpenSSL on this machine trusts by default."""
    _, default_file, _, default_directory = real.get_default_verify_paths()
    context = real._SSLContext(real.PROTOCOL_TLS_CLIENT)
    if os.path.exists(default_file):
        context.load_verify_locations(default_file, None, None)
    elif os.path.isdir(default_directory):
        for entry in os.listdir(default_directory):
            try:
                context.load_verify_locations(os.path.join(default_directory, entry), None, None)
            except OSError:
                continue
    found: list[bytes] = context.get_ca_certs(True)
    return found
