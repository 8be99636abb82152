"""What holds for all tests.

Hypothesis tries the same examples everywhere, however slow the machine is.

`make test PYTEST_ARGS=--hypothesis-profile=explore` tries others each time.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, configuration, settings

os.environ.pop("PYTHONUNBUFFERED", None)  # programs that tests start buffer their output, as a user's do

# Not in the working directory, which may be somebody else's.
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir(), f"winsock-hypothesis-{os.getuid()}"))

slow = [HealthCheck.too_slow]
settings.register_profile("same", deadline=None, derandomize=True, database=None, suppress_health_check=slow)
settings.register_profile("explore", deadline=None, database=None, suppress_health_check=slow)
settings.load_profile("same")
