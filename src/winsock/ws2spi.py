"""ws2spi: the provider's side of Windows Sockets, C-shaped.

For now the one procedure that has a document of its own to answer: WSPIoctl, with the control codes of port
reservations.
"""

from winsock.api._wsp import WSPIoctl as WSPIoctl
