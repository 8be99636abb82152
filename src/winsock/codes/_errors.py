"""The one exception inside winsock: a refusal or failure that carries a code."""

from __future__ import annotations


class WinsockError(Exception):
    """A call was refused, or failed, with this code.

    code    a WSA code, or a Win32 error where Windows gives one (997, 64, 1225, ...)

    Only the faces catch it: the C-shaped one turns it into a return value and the thread's last error, the
    Python-shaped one into OSError.
    """

    __slots__ = ("code",)

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = int(code)

    def __str__(self) -> str:
        return f"Winsock error {self.code}"
