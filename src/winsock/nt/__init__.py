"""The parts of Windows NT that Winsock stands on: processes, handles, thread state, memory."""

from winsock.nt import memory as memory
from winsock.nt._apc import queue_apc as queue_apc
from winsock.nt._apc import run_apcs as run_apcs
from winsock.nt._process import HandleTable as HandleTable
from winsock.nt._process import Process as Process
from winsock.nt._process import ThreadState as ThreadState
from winsock.nt._process import current as current
from winsock.nt._process import default_process as default_process
