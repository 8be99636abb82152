"""ws2_32.dll: Windows Sockets 2, C-shaped.

C names, C argument order, C return values; errors by WSAGetLastError().  A call never raises.
"""

from winsock.api._byteorder import WSAHtonl as WSAHtonl
from winsock.api._byteorder import WSAHtons as WSAHtons
from winsock.api._byteorder import WSANtohl as WSANtohl
from winsock.api._byteorder import WSANtohs as WSANtohs
from winsock.api._byteorder import htonl as htonl
from winsock.api._byteorder import htons as htons
from winsock.api._byteorder import ntohl as ntohl
from winsock.api._byteorder import ntohs as ntohs
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
from winsock.api._strings import InetNtopW as InetNtopW
from winsock.api._strings import InetPtonW as InetPtonW
from winsock.api._strings import WSAAddressToStringA as WSAAddressToStringA
from winsock.api._strings import WSAAddressToStringW as WSAAddressToStringW
from winsock.api._strings import WSAStringToAddressA as WSAStringToAddressA
from winsock.api._strings import WSAStringToAddressW as WSAStringToAddressW
from winsock.api._strings import inet_addr as inet_addr
from winsock.api._strings import inet_ntoa as inet_ntoa
from winsock.api._strings import inet_ntop as inet_ntop
from winsock.api._strings import inet_pton as inet_pton
from winsock.api._wsasocket import WSADuplicateSocketA as WSADuplicateSocketA
from winsock.api._wsasocket import WSADuplicateSocketW as WSADuplicateSocketW
from winsock.api._wsasocket import WSAEnumProtocolsA as WSAEnumProtocolsA
from winsock.api._wsasocket import WSAEnumProtocolsW as WSAEnumProtocolsW
from winsock.api._wsasocket import WSASocketA as WSASocketA
from winsock.api._wsasocket import WSASocketW as WSASocketW
