"""iphlpapi.dll: the IP Helper, as far as Winsock programs need it: adapters, interfaces.

C names, C argument order, C return values.  A call never raises.
"""

from winsock.api._adapters import GetAdaptersAddresses as GetAdaptersAddresses
from winsock.api._adapters import if_indextoname as if_indextoname
from winsock.api._adapters import if_nametoindex as if_nametoindex
