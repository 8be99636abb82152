"""Endpoints: the state of sockets, what each call does to it, and what is refused in which state."""

from winsock.afd._connection import ANY as ANY
from winsock.afd._connection import accept_plain as accept_plain
from winsock.afd._connection import check_close as check_close
from winsock.afd._connection import is_group as is_group
from winsock.afd._connection import poll_connect as poll_connect
from winsock.afd._data import Truncated as Truncated
from winsock.afd._data import check_alive as check_alive
from winsock.afd._data import check_receive as check_receive
from winsock.afd._data import check_send as check_send
from winsock.afd._data import ignored as ignored
from winsock.afd._data import lost as lost
from winsock.afd._endpoint import Endpoint as Endpoint
from winsock.afd._events import started as started
from winsock.afd._making import endpoint_class as endpoint_class
from winsock.afd._making import new_endpoint as new_endpoint
from winsock.afd._making import opener as opener
from winsock.afd._poll import events as events
from winsock.afd._poll import select as select
from winsock.afd._poll import wait_for as wait_for
from winsock.afd._rules import REFUSALS as REFUSALS
from winsock.afd._rules import Refusal as Refusal
from winsock.afd._rules import check as check
from winsock.afd._selection import handle_closed as handle_closed
from winsock.afd._shape import State as State
from winsock.afd._shape import first_shape as first_shape
