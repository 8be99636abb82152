"""kernel32.dll, as far as Winsock programs need it: errors, handles, threads and their APCs, memory.

C names, C argument order, C return values; errors by GetLastError().  A call never raises.
"""

from winsock.api._kernel import CloseHandle as CloseHandle
from winsock.api._kernel import GetComputerNameExW as GetComputerNameExW
from winsock.api._kernel import GetCurrentProcess as GetCurrentProcess
from winsock.api._kernel import GetCurrentProcessId as GetCurrentProcessId
from winsock.api._kernel import GetCurrentThread as GetCurrentThread
from winsock.api._kernel import GetCurrentThreadId as GetCurrentThreadId
from winsock.api._kernel import GetLastError as GetLastError
from winsock.api._kernel import GetWriteWatch as GetWriteWatch
from winsock.api._kernel import OpenThread as OpenThread
from winsock.api._kernel import QueueUserAPC as QueueUserAPC
from winsock.api._kernel import ResetWriteWatch as ResetWriteWatch
from winsock.api._kernel import SetLastError as SetLastError
from winsock.api._kernel import Sleep as Sleep
from winsock.api._kernel import SleepEx as SleepEx
from winsock.api._kernel import VirtualAlloc as VirtualAlloc
from winsock.api._kernel import VirtualFree as VirtualFree
from winsock.api._kernel import VirtualProtect as VirtualProtect
