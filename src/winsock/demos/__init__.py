"""Problems that people had with sockets on Windows, each as two small programs: what failed, and the cure.

Every one comes from a public thread.  The programs use nothing of winsock: they run plain, under `winsock run`,
and on Windows.
"""

from winsock.demos._catalogue import Demo as Demo
from winsock.demos._catalogue import demos as demos
from winsock.demos._catalogue import find as find
from winsock.demos._running import Outcome as Outcome
from winsock.demos._running import run_plain as run_plain
from winsock.demos._running import run_windows as run_windows
from winsock.demos._stages import STAGES as STAGES
from winsock.demos._stages import Stage as Stage
from winsock.demos._stages import hindrance as hindrance
