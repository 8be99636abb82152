"""iphlpapi.dll: the IP Helper, as far as Winsock programs need it: adapters, interfaces, reserved ports.

C names, C argument order, C return values.  A call never raises.
"""

from winsock.api._adapters import GetAdaptersAddresses as GetAdaptersAddresses
from winsock.api._adapters import if_indextoname as if_indextoname
from winsock.api._adapters import if_nametoindex as if_nametoindex
from winsock.api._reservations import CreatePersistentTcpPortReservation as CreatePersistentTcpPortReservation
from winsock.api._reservations import CreatePersistentUdpPortReservation as CreatePersistentUdpPortReservation
from winsock.api._reservations import DeletePersistentTcpPortReservation as DeletePersistentTcpPortReservation
from winsock.api._reservations import DeletePersistentUdpPortReservation as DeletePersistentUdpPortReservation
from winsock.api._reservations import LookupPersistentTcpPortReservation as LookupPersistentTcpPortReservation
from winsock.api._reservations import LookupPersistentUdpPortReservation as LookupPersistentUdpPortReservation
