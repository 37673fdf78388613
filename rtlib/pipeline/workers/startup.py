"""Startup: what a worker waits for before it begins."""

from __future__ import annotations

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib.broker.topics import check_topics
from rtlib.config import Settings
from rtlib.errors import RtlibError

TOPICS = ("events", "kpis", "rejected", "progress")
WAIT_SECONDS = 120


@retry(
    retry=retry_if_exception_type(RtlibError), wait=wait_fixed(0.3), stop=stop_after_delay(WAIT_SECONDS), reraise=True
)
def wait_for_topics(settings: Settings) -> None:
    """Wait until the broker answers and the domain's topics exist.

    Raises:
        RtlibError: A topic is missing after ``WAIT_SECONDS``.
    """
    check_topics(settings, [settings.topic(name) for name in TOPICS])
