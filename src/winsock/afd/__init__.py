"""Endpoints: the state of sockets, what each call does to it, and what is refused in which state."""

from winsock.afd._endpoint import Endpoint as Endpoint
from winsock.afd._endpoint import State as State
from winsock.afd._rules import REFUSALS as REFUSALS
from winsock.afd._rules import Refusal as Refusal
from winsock.afd._rules import check as check
