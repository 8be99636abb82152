"""errno as on Windows: MSVC's numbers, and Winsock's for everything that concerns sockets."""

from __future__ import annotations

from types import ModuleType

from winsock.codes import WSA

# errno.h of Microsoft's C library
_CLASSIC = {
    "EPERM": 1, "ENOENT": 2, "ESRCH": 3, "EINTR": 4, "EIO": 5, "ENXIO": 6, "E2BIG": 7, "ENOEXEC": 8, "EBADF": 9,
    "ECHILD": 10, "EAGAIN": 11, "ENOMEM": 12, "EACCES": 13, "EFAULT": 14, "EBUSY": 16, "EEXIST": 17, "EXDEV": 18,
    "ENODEV": 19, "ENOTDIR": 20, "EISDIR": 21, "EINVAL": 22, "ENFILE": 23, "EMFILE": 24, "ENOTTY": 25, "EFBIG": 27,
    "ENOSPC": 28, "ESPIPE": 29, "EROFS": 30, "EMLINK": 31, "EPIPE": 32, "EDOM": 33, "ERANGE": 34, "EDEADLK": 36,
    "EDEADLOCK": 36, "ENAMETOOLONG": 38, "ENOLCK": 39, "ENOSYS": 40, "ENOTEMPTY": 41, "EILSEQ": 42,
}  # fmt: skip

# errno.h's later additions that have no Winsock twin
_LATER = {
    "EBADMSG": 104, "ECANCELED": 105, "EIDRM": 111, "ENODATA": 120, "ENOLINK": 121, "ENOMSG": 122, "ENOSR": 124,
    "ENOSTR": 125, "ENOTRECOVERABLE": 127, "ENOTSUP": 129, "EOVERFLOW": 132, "EOWNERDEAD": 133, "EPROTO": 134,
    "ETIME": 137, "ETXTBSY": 139,
}  # fmt: skip

# names whose value is Winsock's, also spelled WSAE...
_WINSOCK = """
EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EALREADY ECONNABORTED ECONNREFUSED ECONNRESET EDESTADDRREQ EDQUOT EHOSTDOWN
EHOSTUNREACH EINPROGRESS EISCONN ELOOP EMSGSIZE ENETDOWN ENETRESET ENETUNREACH ENOBUFS ENOPROTOOPT ENOTCONN
ENOTSOCK EOPNOTSUPP EPFNOSUPPORT EPROTONOSUPPORT EPROTOTYPE EREMOTE ESHUTDOWN ESOCKTNOSUPPORT ESTALE ETIMEDOUT
ETOOMANYREFS EUSERS EWOULDBLOCK
""".split()

# names that exist with the prefix only, because the plain one is the C library's
_WSA_ONLY = """
WSAEACCES WSAEBADF WSAEDISCON WSAEFAULT WSAEINTR WSAEINVAL WSAEMFILE WSAENAMETOOLONG WSAENOTEMPTY WSAEPROCLIM
WSANOTINITIALISED WSASYSNOTREADY WSAVERNOTSUPPORTED
""".split()

WSABASEERR = 10000


def numbers() -> dict[str, int]:
    """Every name of the module with its value."""
    found = {**_CLASSIC, **_LATER}
    for name in _WINSOCK:
        found[name] = found[f"WSA{name}"] = int(WSA[f"WSA{name}"])
    for name in _WSA_ONLY:
        found[name] = int(WSA[name])
    found["WSABASEERR"] = WSABASEERR
    return dict(sorted(found.items(), key=lambda item: item[0]))


def make_module() -> ModuleType:
    """The module `errno`."""
    module = ModuleType("errno", "This module makes available standard errno system symbols.")
    values = numbers()
    vars(module).update(values)
    codes: dict[int, str] = {}
    for name, value in sorted(values.items(), key=lambda item: item[0].startswith("WSA")):
        if name != "EDEADLK":  # the later of two names for one number stands in errorcode
            codes[value] = name
    vars(module)["errorcode"] = codes
    return module
