"""A fresh Windows process for each test of overlapped I/O."""

from __future__ import annotations

import pytest
from overlapped_kit import Lab
from overlapped_kit import no_faults_of_our_own as no_faults_of_our_own


@pytest.fixture
def lab():
    with Lab.fresh() as made:
        yield made


@pytest.fixture
def routines_raise():
    """The test's routines raise: that is logged."""
