"""The options of the streaming queries that depend on the settings alone."""

from __future__ import annotations

from rtlib.streaming.queries import HIGH_RATE, batching


def test_records_are_fetched_and_sent_at_once_at_a_low_rate_and_together_at_a_high_rate() -> None:
    (fetch, send), (fetch_many, send_many) = batching(HIGH_RATE), batching(HIGH_RATE + 1)
    assert (fetch["kafka.fetch.min.bytes"], send["kafka.linger.ms"]) == ("1", "0")
    assert int(fetch_many["kafka.fetch.min.bytes"]) > 1
    assert int(send_many["kafka.linger.ms"]) > 0
    assert int(fetch["kafka.fetch.max.wait.ms"]) > int(fetch_many["kafka.fetch.max.wait.ms"])
