"""kernel32.dll, as far as Winsock programs need it: errors, handles, threads and their APCs, memory.

C names, C argument order, C return values; errors by GetLastError().  A call never raises.
"""

from winsock.api._events import CreateEventA as CreateEventA
from winsock.api._events import CreateEventExA as CreateEventExA
from winsock.api._events import CreateEventExW as CreateEventExW
from winsock.api._events import CreateEventW as CreateEventW
from winsock.api._events import PulseEvent as PulseEvent
from winsock.api._events import QueueUserAPC as QueueUserAPC
from winsock.api._events import RegisterWaitForSingleObject as RegisterWaitForSingleObject
from winsock.api._events import ResetEvent as ResetEvent
from winsock.api._events import SetEvent as SetEvent
from winsock.api._events import Sleep as Sleep
from winsock.api._events import SleepEx as SleepEx
from winsock.api._events import UnregisterWait as UnregisterWait
from winsock.api._events import UnregisterWaitEx as UnregisterWaitEx
from winsock.api._events import WaitForMultipleObjects as WaitForMultipleObjects
from winsock.api._events import WaitForMultipleObjectsEx as WaitForMultipleObjectsEx
from winsock.api._events import WaitForSingleObject as WaitForSingleObject
from winsock.api._events import WaitForSingleObjectEx as WaitForSingleObjectEx
from winsock.api._files import CreateFileA as CreateFileA
from winsock.api._files import CreateFileW as CreateFileW
from winsock.api._files import GetTempFileNameA as GetTempFileNameA
from winsock.api._files import GetTempFileNameW as GetTempFileNameW
from winsock.api._files import GetTempPathA as GetTempPathA
from winsock.api._files import GetTempPathW as GetTempPathW
from winsock.api._files import ReadFile as ReadFile
from winsock.api._files import SetFilePointer as SetFilePointer
from winsock.api._files import WriteFile as WriteFile
from winsock.api._handles import DuplicateHandle as DuplicateHandle
from winsock.api._kernel import CloseHandle as CloseHandle
from winsock.api._kernel import GetComputerNameExW as GetComputerNameExW
from winsock.api._kernel import GetCurrentProcess as GetCurrentProcess
from winsock.api._kernel import GetCurrentProcessId as GetCurrentProcessId
from winsock.api._kernel import GetCurrentThread as GetCurrentThread
from winsock.api._kernel import GetCurrentThreadId as GetCurrentThreadId
from winsock.api._kernel import GetLastError as GetLastError
from winsock.api._kernel import GetWriteWatch as GetWriteWatch
from winsock.api._kernel import OpenThread as OpenThread
from winsock.api._kernel import ResetWriteWatch as ResetWriteWatch
from winsock.api._kernel import SetLastError as SetLastError
from winsock.api._kernel import VirtualAlloc as VirtualAlloc
from winsock.api._kernel import VirtualFree as VirtualFree
from winsock.api._kernel import VirtualProtect as VirtualProtect
from winsock.api._native import DeviceIoControl as DeviceIoControl
from winsock.api._native import TerminateThread as TerminateThread
from winsock.api._overlapped import CancelIo as CancelIo
from winsock.api._overlapped import CancelIoEx as CancelIoEx
from winsock.api._overlapped import CancelSynchronousIo as CancelSynchronousIo
from winsock.api._overlapped import GetOverlappedResult as GetOverlappedResult
from winsock.api._overlapped import GetOverlappedResultEx as GetOverlappedResultEx
from winsock.api._ports import CreateIoCompletionPort as CreateIoCompletionPort
from winsock.api._ports import GetQueuedCompletionStatus as GetQueuedCompletionStatus
from winsock.api._ports import GetQueuedCompletionStatusEx as GetQueuedCompletionStatusEx
from winsock.api._ports import PostQueuedCompletionStatus as PostQueuedCompletionStatus
from winsock.api._ports import SetFileCompletionNotificationModes as SetFileCompletionNotificationModes
