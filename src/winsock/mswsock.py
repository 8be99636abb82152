"""mswsock.dll: Microsoft's extensions of Windows Sockets, C-shaped.

C names, C argument order, C return values; errors by WSAGetLastError().  A call never raises.
"""

from winsock.api._acceptex import AcceptEx as AcceptEx
from winsock.api._acceptex import GetAcceptExSockaddrs as GetAcceptExSockaddrs
from winsock.api._data import WSARecvEx as WSARecvEx
from winsock.api._transmit import TransmitFile as TransmitFile
