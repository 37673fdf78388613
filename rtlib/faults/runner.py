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
from rtlib.errors import ServiceError
from rtlib.faults.catalog import Plan, plan
from rtlib.faults.effects import Effect
from rtlib.faults.inject import inject
from rtlib.notify import Notify
from rtlib.pipeline.audit.tallies import runs, written_at
from rtlib.pipeline.recovery.readiness import obstacle
from rtlib.pipeline.recovery.snapshot import Snapshot, event_ends, longest_pause, take_snapshot
from rtlib.records import Tally

PATIENCE_SECONDS = 180.0
LOOK_SECONDS = 0.5
EFFECT_SECONDS = 90.0
FAULT = "fault-"  # how the runs of faults are called


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
        unseen: What was expected of it and not seen; None when all was.
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
    unseen: str | None = None

    @property
    def recovered(self) -> bool:
        """True when the pipeline came back by itself."""
        return self.recovery_seconds is not None

    @property
    def as_expected(self) -> bool:
        """True when it also did to the pipeline what was said before."""
        return self.recovered and self.unseen is None


def run(settings: Settings, name: str, *, seed: int, notify: Notify, stop: threading.Event | None = None) -> Report:
    """Say what should happen, do it, watch, and say what happened.

    Raises:
        ConfigError: There is no such fault, or this machine cannot do it.
        ServiceError: The stack does not run.
    """
    stop = stop or threading.Event()
    chosen = plan(name, seed=seed, domain=load_domain(settings.domain))
    notify(f"{chosen.fault.title} (seed {seed})\n{chosen.fault.expect}")
    before = take_snapshot(settings)
    began = time.monotonic()
    done = inject(settings, chosen, stop=stop)
    ended, ended_at = time.monotonic(), datetime.now(UTC)
    notify(f"{done}; watching")
    back, ends = _recovery(settings, since=ended_at, afresh=chosen.fault.way == "checkpoint", notify=notify, stop=stop)
    after, unseen = _effect(settings, chosen, before, ends=ends, stop=stop) if back is not None else (None, None)
    happened = _story(before, after, back, unseen)
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
        unseen=unseen,
    )


def button(settings: Settings, *, seed: int = 1) -> Callable[[str, Notify], str]:
    """What a button of the graph does: the fault of this name, told as it goes, and in the end what happened."""

    def hurt(name: str, notify: Notify) -> str:
        report = run(settings, name, seed=seed, notify=notify)
        return f"{report.done}. {report.happened}"

    return hurt


def _recovery(
    settings: Settings, *, since: datetime, afresh: bool, notify: Notify, stop: threading.Event
) -> tuple[float | None, Mapping[int, int]]:
    """Seconds until nothing stands in the way, None when something still does after three minutes; and where the
    events topic ended when the harm was over, or as soon afterwards as Kafka answered."""
    began, said = time.monotonic(), ""
    ends: Mapping[int, int] = {}
    while time.monotonic() - began < PATIENCE_SECONDS and not stop.is_set():
        ends = ends or _ends(settings)
        reason = obstacle(settings, since=since, ends=ends, afresh=afresh)
        if reason is None and ends:
            return round(time.monotonic() - began, 1), ends
        kind = (reason or said).partition(":")[0]
        if kind != said:
            said = kind
            notify(f"  {time.monotonic() - began:5.1f} s  {reason}")
        stop.wait(LOOK_SECONDS)
    return None, ends


def _ends(settings: Settings) -> Mapping[int, int]:
    try:
        return event_ends(settings)
    except ServiceError:
        return {}


def _effect(
    settings: Settings, chosen: Plan, before: Snapshot, *, ends: Mapping[int, int], stop: threading.Event
) -> tuple[Snapshot, str | None]:
    """Where the pipeline is once the fault has done what it should, and what is missing of that when it has not; some
    of it takes a while, as a card that is sent when two minutes were bad."""
    began, sent = time.monotonic(), _sent(settings, before.at)
    while True:
        after = take_snapshot(settings)
        seen = difference(before, after, sent=sent, ends=ends, pause=longest_pause(settings, before.at))
        unseen = chosen.fault.seen(seen)
        if unseen is None or time.monotonic() - began > EFFECT_SECONDS or stop.wait(2 * LOOK_SECONDS):
            return after, unseen


def _sent(settings: Settings, since: datetime) -> Tally:
    """What the fault itself sent: by its own run, the only one of that kind that was written since."""
    own = [
        run.tally
        for run in runs(settings)
        if run.name.startswith(FAULT) and written_at(settings, run) >= since.timestamp()
    ]
    return sum(own, Tally())


def difference(before: Snapshot, after: Snapshot, *, sent: Tally, ends: Mapping[int, int], pause: float) -> Effect:
    """What changed between two marks. Pure."""
    names = before.processes.keys() & after.processes.keys()
    return Effect(
        sent=sent,
        taken={partition: end - before.events.get(partition, 0) for partition, end in ends.items()},
        held=before.held,
        archived=after.counts.live_events - before.counts.live_events,
        removed=after.counts.duplicates - before.counts.duplicates,
        rejected=after.counts.rejected - before.counts.rejected,
        late=after.counts.kpi_late - before.counts.kpi_late,
        dropped=after.dropped - before.dropped,
        raised=after.raised - before.raised,
        restarted=frozenset(name for name in names if before.processes[name] != after.processes[name]),
        seconds=(after.at - before.at).total_seconds(),
        pause_seconds=pause,
    )


def _story(before: Snapshot, after: Snapshot | None, back: float | None, unseen: str | None) -> str:
    if after is None or back is None:
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
    if after.dropped > before.dropped:
        told.append(f"{after.dropped - before.dropped:,} events were behind the watermark")
    verdict = "It did what was expected" if unseen is None else f"But it did not do what was expected ({unseen})"
    return f"{'; '.join(told)}. {verdict}. The proof is the ledger: rtlib ledger."
