"""Ordinary files behind handles, as far as a program that sends or stores what it received needs them."""

from __future__ import annotations

import errno
import os

from winsock.abi import _constants as c
from winsock.codes import WinsockError

_ERRORS = {
    errno.ENOENT: c.ERROR_FILE_NOT_FOUND,
    errno.ENOTDIR: c.ERROR_PATH_NOT_FOUND,
    errno.EEXIST: c.ERROR_FILE_EXISTS,
    errno.EACCES: c.ERROR_ACCESS_DENIED,
    errno.EPERM: c.ERROR_ACCESS_DENIED,
    errno.EISDIR: c.ERROR_ACCESS_DENIED,
    errno.EROFS: c.ERROR_ACCESS_DENIED,
    errno.EMFILE: c.ERROR_TOO_MANY_OPEN_FILES,
    errno.ENFILE: c.ERROR_TOO_MANY_OPEN_FILES,
    errno.EBADF: c.ERROR_INVALID_HANDLE,
}

_HOW = {
    c.CREATE_NEW: os.O_CREAT | os.O_EXCL,
    c.CREATE_ALWAYS: os.O_CREAT | os.O_TRUNC,
    c.OPEN_EXISTING: 0,
    c.OPEN_ALWAYS: os.O_CREAT,
    c.TRUNCATE_EXISTING: os.O_TRUNC,
}
_WHENCE = {c.FILE_BEGIN: os.SEEK_SET, c.FILE_CURRENT: os.SEEK_CUR, c.FILE_END: os.SEEK_END}


def file_error(error: OSError) -> WinsockError:
    """A Linux error of a file as Win32's."""
    return WinsockError(_ERRORS.get(error.errno or 0, c.ERROR_INVALID_PARAMETER))


class FileObject:
    """An open file; a path is the host's own.

    modes    FILE_SKIP_*
    """

    modes = 0

    def __init__(self, path: str, access: int, disposition: int, flags: int) -> None:
        self.fd = -1
        if disposition not in _HOW:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        both = access & c.GENERIC_READ and access & c.GENERIC_WRITE
        mode = os.O_RDWR if both else os.O_WRONLY if access & c.GENERIC_WRITE else os.O_RDONLY
        try:
            self.fd = os.open(path, mode | _HOW[disposition] | os.O_CLOEXEC, 0o666)
        except ValueError:
            raise WinsockError(c.ERROR_INVALID_PARAMETER) from None
        except OSError as e:
            raise file_error(e) from None
        self.path = path if flags & c.FILE_FLAG_DELETE_ON_CLOSE else None

    def write(self, data: bytes) -> int:
        """Write at the file's position; bytes written."""
        try:
            return os.write(self.fd, data)
        except OSError as e:
            raise file_error(e) from None

    def read(self, n: int) -> bytes:
        """Read at the file's position."""
        try:
            return os.read(self.fd, n)
        except OSError as e:
            raise file_error(e) from None

    def read_at(self, offset: int, n: int) -> bytes:
        """Read at an offset, wherever the position is; ERROR_HANDLE_EOF where nothing is."""
        try:
            data = os.pread(self.fd, n, offset)
        except OverflowError:
            raise WinsockError(c.ERROR_INVALID_PARAMETER) from None
        except OSError as e:
            raise file_error(e) from None
        if n and not data:
            raise WinsockError(c.ERROR_HANDLE_EOF)
        return data

    def write_at(self, offset: int, data: bytes) -> int:
        """Write at an offset, wherever the position is; bytes written."""
        try:
            return os.pwrite(self.fd, data, offset)
        except OverflowError:
            raise WinsockError(c.ERROR_INVALID_PARAMETER) from None
        except OSError as e:
            raise file_error(e) from None

    def size(self) -> int:
        """How long the file is."""
        try:
            return os.fstat(self.fd).st_size
        except OSError as e:
            raise file_error(e) from None

    def seek(self, distance: int, method: int) -> int:
        """Move the position; where it is then."""
        if method not in _WHENCE:
            raise WinsockError(c.ERROR_INVALID_PARAMETER)
        try:
            return os.lseek(self.fd, distance, _WHENCE[method])
        except OSError:
            raise WinsockError(c.ERROR_NEGATIVE_SEEK) from None

    def close(self) -> None:
        """Close, and delete what was to be deleted then."""
        fd, self.fd = self.fd, -1
        if fd < 0:
            return
        os.close(fd)
        if self.path is not None:
            try:
                os.unlink(self.path)
            except OSError:
                pass

    __del__ = close
