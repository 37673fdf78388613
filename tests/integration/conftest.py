"""Fixtures of the integration tests: one real stack for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rtlib.config import Settings
from support.stack import NO_BATCH_JOBS, SHORT_INTERVALS, Stack, running_stack

RATE = 20  # events a second: windows and rejections fill within seconds, and the machine is left to the tests


# A steady rate is the same at every hour of the day; twice the usual share is malformed, because the rate is low. Kafka
# requires a sign-in, as on a machine with other users; other terminals, and kernels of lessons, have no setting for it.
# No batch job runs by itself, because tests load, build and forecast when they need it. Short checkpoint intervals make
# short waits: the KPI query reports at their ends what it has read.
# The demo (tests/own_stack/test_demo.py) and the lessons by domain run on stacks without a sign-in.
STREAM = {
    "RTLIB_STEADY": "true",
    "RTLIB_MALFORMED_SHARE": "0.01",
    "RTLIB_SHARED": "1",
    **SHORT_INTERVALS,
    **NO_BATCH_JOBS,
}


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(no_settings_of_the_developer: None) -> None:
    """For every test of this folder."""


@pytest.fixture(scope="session")
def stack(no_settings_of_the_developer: None) -> Iterator[Stack]:
    """The real stack: Kafka, registry, warehouse, Spark, loader and simulator, with ports of its own."""
    with running_stack("--rate", str(RATE), environment=STREAM) as running:
        yield running


@pytest.fixture
def settings(stack: Stack) -> Settings:
    """How to reach the stack."""
    return stack.settings
