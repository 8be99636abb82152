"""Networks that sockets live on: this machine's kernel (host); a simulated one later."""

from winsock.transports._contract import ERROR as ERROR
from winsock.transports._contract import HANGUP as HANGUP
from winsock.transports._contract import RDHUP as RDHUP
from winsock.transports._contract import READ as READ
from winsock.transports._contract import URGENT as URGENT
from winsock.transports._contract import WRITE as WRITE
from winsock.transports._contract import Address as Address
from winsock.transports._contract import Interface as Interface
from winsock.transports._contract import Message as Message
from winsock.transports._contract import Transport as Transport
from winsock.transports._contract import TransportSocket as TransportSocket
from winsock.transports._contract import Watcher as Watcher
