"""A fresh Windows process for each test of registered I/O."""

from __future__ import annotations

import pytest
from overlapped_kit import no_faults_of_our_own as no_faults_of_our_own
from rio_kit import Rig


@pytest.fixture
def rig():
    with Rig.fresh() as made:
        yield made
