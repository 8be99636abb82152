"""Names of codes: the one to show, and all the others that documents, headers and other systems use."""

from __future__ import annotations

from functools import cache

from winsock.codes._resolver import H_ERRNO, WINDOWS_EAI
from winsock.codes._win32 import SAME_AS_WINSOCK, WIN32
from winsock.codes._wsa import WSA

NO_ERROR = 0
# A published list gives this number to WSAEDISCON's text; no header has it.
MISLISTED = 10094

# Names that are in no enum: older headers, Windows CE, other listings.
_OTHER: dict[str, int] = {
    "NO_ERROR": NO_ERROR,
    "ERROR_SUCCESS": NO_ERROR,
    "WSANO_ADDRESS": WSA.WSANO_DATA,
    "WSA_WAIT_TIMEOUT": 258,
    "WSA_INVALIDPROCEDURE": WSA.WSAEINVALIDPROCTABLE,
    "WSA_INVALIDPROVIDER": WSA.WSAEINVALIDPROVIDER,
    "WSAENOTINITIALISED": WSA.WSANOTINITIALISED,
    "WSANOTINITIALIZED": WSA.WSANOTINITIALISED,
    "NO_ADDRESS": WSA.WSANO_DATA,
}


@cache
def numbers_by_name() -> dict[str, int]:
    """Every name that stands for a code of its own, upper case, to the code's number."""
    names = {name: number for number, name in (*WIN32.items(), *SAME_AS_WINSOCK.items())}
    names |= {name: int(code) for name, code in WINDOWS_EAI.items()}
    names |= {name: int(code) for name, (_, code) in H_ERRNO.items()}
    names |= {name: int(code) for name, code in _OTHER.items()}
    names |= {name: int(code) for name, code in WSA.__members__.items()}
    return names


@cache
def known_numbers() -> frozenset[int]:
    """The numbers of all codes that the catalogue has an entry for."""
    return frozenset((*map(int, WSA), *WIN32, NO_ERROR, MISLISTED))


def name_of(code: int) -> str:
    """The name to show for a code: winsock2.h's if it has one, else winerror.h's; empty where there is none."""
    if code == NO_ERROR:
        return "NO_ERROR"
    wsa = WSA._value2member_map_.get(code)
    return wsa.name if wsa is not None else WIN32.get(code, "")
