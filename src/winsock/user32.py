"""user32.dll, as far as Winsock programs need it: windows that nobody sees, and the messages of threads.

C names, C argument order, C return values; errors by GetLastError().  A call never raises.
"""

from winsock.api._windows import CreateWindowExA as CreateWindowExA
from winsock.api._windows import CreateWindowExW as CreateWindowExW
from winsock.api._windows import DefWindowProcA as DefWindowProcA
from winsock.api._windows import DefWindowProcW as DefWindowProcW
from winsock.api._windows import DestroyWindow as DestroyWindow
from winsock.api._windows import DispatchMessageA as DispatchMessageA
from winsock.api._windows import DispatchMessageW as DispatchMessageW
from winsock.api._windows import GetMessageA as GetMessageA
from winsock.api._windows import GetMessageW as GetMessageW
from winsock.api._windows import GetWindowLongPtrA as GetWindowLongPtrA
from winsock.api._windows import GetWindowLongPtrW as GetWindowLongPtrW
from winsock.api._windows import IsWindow as IsWindow
from winsock.api._windows import MsgWaitForMultipleObjects as MsgWaitForMultipleObjects
from winsock.api._windows import MsgWaitForMultipleObjectsEx as MsgWaitForMultipleObjectsEx
from winsock.api._windows import PeekMessageA as PeekMessageA
from winsock.api._windows import PeekMessageW as PeekMessageW
from winsock.api._windows import PostMessageA as PostMessageA
from winsock.api._windows import PostMessageW as PostMessageW
from winsock.api._windows import PostQuitMessage as PostQuitMessage
from winsock.api._windows import PostThreadMessageA as PostThreadMessageA
from winsock.api._windows import PostThreadMessageW as PostThreadMessageW
from winsock.api._windows import RegisterClassA as RegisterClassA
from winsock.api._windows import RegisterClassExA as RegisterClassExA
from winsock.api._windows import RegisterClassExW as RegisterClassExW
from winsock.api._windows import RegisterClassW as RegisterClassW
from winsock.api._windows import SendMessageA as SendMessageA
from winsock.api._windows import SendMessageW as SendMessageW
from winsock.api._windows import SetWindowLongPtrA as SetWindowLongPtrA
from winsock.api._windows import SetWindowLongPtrW as SetWindowLongPtrW
from winsock.api._windows import TranslateMessage as TranslateMessage
from winsock.api._windows import UnregisterClassA as UnregisterClassA
from winsock.api._windows import UnregisterClassW as UnregisterClassW
from winsock.api._windows import WaitMessage as WaitMessage
