"""The IP Helper's functions for persistent reservations in few words, for tests: numbers in, numbers out."""

from __future__ import annotations

import socket

import winsock.iphlpapi as ip

CREATE = {"tcp": ip.CreatePersistentTcpPortReservation, "udp": ip.CreatePersistentUdpPortReservation}
DELETE = {"tcp": ip.DeletePersistentTcpPortReservation, "udp": ip.DeletePersistentUdpPortReservation}
LOOKUP = {"tcp": ip.LookupPersistentTcpPortReservation, "udp": ip.LookupPersistentUdpPortReservation}


def create(start: int, count: int, protocol: str = "tcp") -> int:
    """0 or the error."""
    return int(CREATE[protocol](socket.htons(start), count, bytearray(8)))


def delete(start: int, count: int, protocol: str = "tcp") -> int:
    return int(DELETE[protocol](socket.htons(start), count))


def lookup(start: int, count: int, protocol: str = "tcp") -> tuple[int, int]:
    token = bytearray(8)
    return int(LOOKUP[protocol](socket.htons(start), count, token)), int.from_bytes(token, "little")
