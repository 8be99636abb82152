"""ws2_32.dll: Windows Sockets 2, C-shaped.

C names, C argument order, C return values; errors by WSAGetLastError().  A call never raises.
"""

from winsock.api._data import recv as recv
from winsock.api._data import recvfrom as recvfrom
from winsock.api._data import send as send
from winsock.api._data import sendto as sendto
from winsock.api._sockets import accept as accept
from winsock.api._sockets import bind as bind
from winsock.api._sockets import closesocket as closesocket
from winsock.api._sockets import connect as connect
from winsock.api._sockets import getpeername as getpeername
from winsock.api._sockets import getsockname as getsockname
from winsock.api._sockets import listen as listen
from winsock.api._sockets import shutdown as shutdown
from winsock.api._sockets import socket as socket
from winsock.api._startup import WSACleanup as WSACleanup
from winsock.api._startup import WSAGetLastError as WSAGetLastError
from winsock.api._startup import WSASetLastError as WSASetLastError
from winsock.api._startup import WSAStartup as WSAStartup
