"""The service provider interface: the catalog of providers, their procedure tables, layered chains."""

from winsock.spi._catalog import BASE_ENTRIES as BASE_ENTRIES
from winsock.spi._catalog import Entry as Entry
from winsock.spi._catalog import entry_of as entry_of
from winsock.spi._catalog import info_of as info_of
from winsock.spi._catalog import listed as listed
from winsock.spi._catalog import packed as packed
from winsock.spi._catalog import resolve as resolve
from winsock.spi._duplicate import discard as discard
from winsock.spi._duplicate import open_ticket as open_ticket
from winsock.spi._duplicate import process_exists as process_exists
from winsock.spi._duplicate import write_ticket as write_ticket
from winsock.spi._open import adopt as adopt
from winsock.spi._open import begun as begun
from winsock.spi._open import close as close
from winsock.spi._open import close_socket as close_socket
from winsock.spi._open import open_socket as open_socket
from winsock.spi._open import register as register
from winsock.spi._table import BASE as BASE
from winsock.spi._table import Procedures as Procedures
