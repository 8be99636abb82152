"""HRESULT forms of a code: .NET, COM and PowerShell show 10054 as 0x80072746 or -2147014842."""

from __future__ import annotations

_FACILITY_WIN32 = 0x80070000
_32_BITS = 0xFFFFFFFF


def to_hresult(code: int) -> int:
    """HRESULT_FROM_WIN32: the unsigned 32-bit form.  0 stays 0 (S_OK).

    Raises ValueError when the code does not fit into an HRESULT's 16 bits.
    """
    if not 0 <= code <= 0xFFFF:
        raise ValueError(f"{code} does not fit into an HRESULT")
    return _FACILITY_WIN32 | code if code else 0


def from_hresult(value: int) -> int | None:
    """The code inside an HRESULT of facility WIN32, signed or unsigned; None for any other number."""
    if not -(2**31) <= value <= _32_BITS:
        return None
    value &= _32_BITS
    return value & 0xFFFF if value & 0xFFFF0000 == _FACILITY_WIN32 else None
