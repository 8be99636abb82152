"""The service provider interface: the catalog of providers, their procedure tables, layered chains."""

from winsock.spi._open import adopt as adopt
from winsock.spi._open import close_socket as close_socket
from winsock.spi._open import open_socket as open_socket
from winsock.spi._open import register as register
from winsock.spi._table import BASE as BASE
from winsock.spi._table import Procedures as Procedures
