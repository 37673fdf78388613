"""Watch: does a fault, waits until the pipeline has recovered, and says what happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.faults.inject import inject
from rtlib.faults.menu import Plan, plan
from rtlib.pipeline.recovery import Mark, mark, obstacle

Tell = Callable[[str], None]
PATIENCE_SECONDS = 180.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Report:
    """What a fault did.

    Attributes:
        name, seed, details: Which it was.
        expected: What was said before.
        done: What was done, in a few words.
        happened: What was seen, in words with the numbers of this run.
        began_at: When it began (UTC).
        lasted_seconds: How long the harm itself lasted.
        recovery_seconds: From its end until everything worked and had caught up; None if that did not come.
    """

    name: str
    seed: int
    details: Mapping[str, Any]
    expected: str
    done: str
    happened: str
    began_at: datetime
    lasted_seconds: float
    recovery_seconds: float | None

    @property
    def recovered(self) -> bool:
        """True when the pipeline came back by itself."""
        return self.recovery_seconds is not None


def run(settings: Settings, name: str, *, seed: int, tell: Tell, stop: threading.Event | None = None) -> Report:
    """Say what should happen, do it, watch, and say what happened.

    Raises:
        ConfigError: There is no such fault, or this machine cannot do it.
        ServiceError: The stack does not run.
    """
    stop = stop or threading.Event()
    chosen = plan(name, seed=seed, domain=load_domain(settings.domain))
    tell(f"{chosen.fault.title} (seed {seed})\n{chosen.fault.expect}")
    before = mark(settings)
    began = time.monotonic()
    done = inject(settings, chosen, stop=stop)
    ended, ended_at = time.monotonic(), datetime.now(UTC)
    tell(f"{done}; watching")
    back = _recovery(settings, since=ended_at, tell=tell, stop=stop)
    happened = _story(chosen, before, mark(settings) if back is not None else None, back)
    return Report(
        name=name,
        seed=seed,
        details=dict(chosen.details),
        expected=chosen.fault.expect,
        done=done,
        happened=happened,
        began_at=before.at,
        lasted_seconds=round(ended - began, 1),
        recovery_seconds=back,
    )


def button(settings: Settings, *, seed: int = 1) -> Callable[[str, Tell], str]:
    """What a button of the graph does: the fault of this name, told as it goes, and in the end what happened."""

    def hurt(name: str, tell: Tell) -> str:
        report = run(settings, name, seed=seed, tell=tell)
        return f"{report.done}. {report.happened}"

    return hurt


def _recovery(settings: Settings, *, since: datetime, tell: Tell, stop: threading.Event) -> float | None:
    """Seconds until nothing stands in the way; None when something still does after three minutes."""
    began, said = time.monotonic(), ""
    while time.monotonic() - began < PATIENCE_SECONDS and not stop.is_set():
        reason = obstacle(settings, since=since)
        if reason is None:
            return round(time.monotonic() - began, 1)
        kind = reason.partition(":")[0]
        if kind != said:
            said = kind
            tell(f"  {time.monotonic() - began:5.1f} s  {reason}")
        stop.wait(LOOK_SECONDS)
    return None


def _story(chosen: Plan, before: Mark, after: Mark | None, back: float | None) -> str:
    if after is None or back is None or before.counts is None or after.counts is None:
        return f"After {PATIENCE_SECONDS:.0f} s it had not recovered: rtlib status says what is wrong."
    taken = sum(after.events.values()) - sum(before.events.values())
    archived = after.counts.live_events - before.counts.live_events
    told = [
        f"Recovered {back:.1f} s after the end of the fault. Since it began Kafka took {taken:,} records, and RAW has "
        f"{archived:,} more events"
    ]
    removed = after.counts.duplicates - before.counts.duplicates
    rejected = after.counts.rejected - before.counts.rejected
    if removed:
        told.append(f"{removed:,} copies were left out")
    if rejected:
        told.append(f"{rejected:,} records were rejected with their reasons")
    return "; ".join(told) + ". The proof is the ledger: rtlib ledger."
