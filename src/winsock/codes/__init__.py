"""What every code is: its number, names, title and meaning, and its counterparts elsewhere."""

from winsock.codes._errors import WinsockError as WinsockError
from winsock.codes._wsa import WSA as WSA
