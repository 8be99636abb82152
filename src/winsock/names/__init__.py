"""Name spaces: hosts, services, protocols, and the interfaces of this machine.

Python-typed functions that raise WinsockError; families, types and flags are Windows' numbers.
"""

from winsock.names._hosts import Host as Host
from winsock.names._hosts import host_by_addr as host_by_addr
from winsock.names._hosts import host_by_name as host_by_name
from winsock.names._hosts import local_name as local_name
from winsock.names._interfaces import Interface as Interface
from winsock.names._interfaces import InterfaceAddress as InterfaceAddress
from winsock.names._interfaces import has_ipv6 as has_ipv6
from winsock.names._interfaces import interfaces as interfaces
from winsock.names._interfaces import local_addresses as local_addresses
from winsock.names._lookup import Info as Info
from winsock.names._lookup import host_text as host_text
from winsock.names._lookup import lookup as lookup
from winsock.names._lookup import reverse as reverse
from winsock.names._lookup import service_text as service_text
from winsock.names._services import Protocol as Protocol
from winsock.names._services import Service as Service
from winsock.names._services import protocol_by_name as protocol_by_name
from winsock.names._services import protocol_by_number as protocol_by_number
from winsock.names._services import service_by_name as service_by_name
from winsock.names._services import service_by_port as service_by_port
