"""ntdll.dll, as far as programs use it on sockets: the driver's own requests.

C names, C argument order.  Calls return an NTSTATUS as an unsigned number and leave the last error alone.
"""

from winsock.api._native import NtCancelIoFile as NtCancelIoFile
from winsock.api._native import NtCancelIoFileEx as NtCancelIoFileEx
from winsock.api._native import NtClose as NtClose
from winsock.api._native import NtCreateFile as NtCreateFile
from winsock.api._native import NtDeviceIoControlFile as NtDeviceIoControlFile
from winsock.api._native import NtOpenFile as NtOpenFile
from winsock.api._native import NtQueryObject as NtQueryObject
from winsock.api._native import NtReadFile as NtReadFile
from winsock.api._native import NtWriteFile as NtWriteFile
from winsock.api._native import RtlNtStatusToDosError as RtlNtStatusToDosError
