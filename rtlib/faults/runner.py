"""Runner: injects a fault, waits until the pipeline has recovered, and reports what happened."""

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
FAULT = "fault-"  # prefix of the names of faults' runs


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a fault.

    Attributes:
        name, seed, details: Which fault.
        expected: The expected effect, as announced before.
        done: What was injected, in a few words.
        happened: What was observed, with the numbers of this run.
        began_at: When it began (UTC).
        lasted_seconds: How long the injection took.
        recovery_seconds: From its end until everything worked and had caught up; None without a recovery.
        unseen: The part of the expected effect that was missing; None if nothing was.
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
        """True if the pipeline recovered by itself."""
        return self.recovery_seconds is not None

    @property
    def as_expected(self) -> bool:
        """True if it recovered and the fault had its expected effect."""
        return self.recovered and self.unseen is None


def run(settings: Settings, name: str, *, seed: int, notify: Notify, stop: threading.Event | None = None) -> Report:
    """Announce the expected effect, inject the fault, watch the recovery, and report.

    Args:
        settings: Which stack.
        name: The fault, as in ``MENU``.
        seed: Chooses its details.
        notify: Receives progress lines.
        stop: Ends injection and recovery early.

    Example:
        >>> from rtlib.config import load_settings
        >>> run(load_settings(), "kill-loader", seed=1, notify=print).as_expected
        True

    Raises:
        ConfigError: There is no such fault, or it is impossible on this machine.
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
    afresh = chosen.fault.method == "checkpoint"
    recovery, ends, hindrance = _recovery(settings, since=ended_at, afresh=afresh, notify=notify, stop=stop)
    if recovery is None:
        happened, unseen = _no_recovery(hindrance), None
    else:
        after, unseen = _effect(settings, chosen, before, ends=ends, stop=stop)
        happened = _summary(before, after, recovery, unseen)
    return Report(
        name=name,
        seed=seed,
        details=dict(chosen.details),
        expected=chosen.fault.expect,
        done=done,
        happened=happened,
        began_at=before.at,
        lasted_seconds=round(ended - began, 1),
        recovery_seconds=recovery,
        unseen=unseen,
    )


def button(settings: Settings, *, seed: int = 1) -> Callable[[str, Notify], str]:
    """The action of the app's fault button: runs the named fault and returns what happened."""

    def run_fault(name: str, notify: Notify) -> str:
        report = run(settings, name, seed=seed, notify=notify)
        return f"{report.done}. {report.happened}"

    return run_fault


def _recovery(
    settings: Settings, *, since: datetime, afresh: bool, notify: Notify, stop: threading.Event
) -> tuple[float | None, Mapping[int, int], str | None]:
    """Seconds until there is no obstacle left, None if that takes more than three minutes; the ends of the events
    topic when the fault was over, or as soon afterwards as Kafka answered; and the last obstacle."""
    began, part, reason = time.monotonic(), "", None
    ends: Mapping[int, int] = {}
    while time.monotonic() - began < PATIENCE_SECONDS and not stop.is_set():
        ends = ends or _ends(settings)
        reason = obstacle(settings, since=since, ends=ends, afresh=afresh)
        if reason is None and ends:
            return round(time.monotonic() - began, 1), ends, None
        if reason is not None and reason.partition(":")[0] != part:
            part = reason.partition(":")[0]
            notify(f"  {time.monotonic() - began:5.1f} s  {reason}")
        stop.wait(LOOK_SECONDS)
    return None, ends, reason


def _ends(settings: Settings) -> Mapping[int, int]:
    try:
        return event_ends(settings)
    except ServiceError:
        return {}


def _effect(
    settings: Settings, chosen: Plan, before: Snapshot, *, ends: Mapping[int, int], stop: threading.Event
) -> tuple[Snapshot, str | None]:
    """The state after the fault, and what is missing of its effect. Some effects take a while: a card is sent only
    after two bad minutes."""
    began, sent = time.monotonic(), _sent(settings, before.at)
    while True:
        after = take_snapshot(settings)
        effect = difference(before, after, sent=sent, ends=ends, pause=longest_pause(settings, before.at))
        missing = chosen.fault.check(effect)
        if missing is None or time.monotonic() - began > EFFECT_SECONDS or stop.wait(2 * LOOK_SECONDS):
            return after, missing


def _sent(settings: Settings, since: datetime) -> Tally:
    """What the fault itself sent, by the tallies of faults' runs written since."""
    tallies = [
        run.tally
        for run in runs(settings)
        if run.name.startswith(FAULT) and written_at(settings, run) >= since.timestamp()
    ]
    return sum(tallies, Tally())


def difference(before: Snapshot, after: Snapshot, *, sent: Tally, ends: Mapping[int, int], pause: float) -> Effect:
    """The change between two snapshots. Pure.

    Args:
        before: The state before the fault.
        after: The state after it.
        sent: What the fault itself sent.
        ends: Partition to the end of the events topic when the fault was over.
        pause: The longest time without an event, in seconds.
    """
    parts = before.processes.keys() & after.processes.keys()
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
        restarted=frozenset(part for part in parts if before.processes[part] != after.processes[part]),
        seconds=(after.at - before.at).total_seconds(),
        pause_seconds=pause,
    )


def _no_recovery(hindrance: str | None) -> str:
    reason = hindrance or "the wait was ended early"
    return f"After {PATIENCE_SECONDS:.0f} s it had not recovered: {reason}. rtlib status shows the state of each part."


def _summary(before: Snapshot, after: Snapshot, recovery: float, unseen: str | None) -> str:
    accepted = sum(after.events.values()) - sum(before.events.values())
    archived = after.counts.live_events - before.counts.live_events
    removed = after.counts.duplicates - before.counts.duplicates
    rejected = after.counts.rejected - before.counts.rejected
    dropped = after.dropped - before.dropped
    sentences = [
        f"Recovered {recovery:.1f} s after the end of the fault. Since its start Kafka accepted {accepted:,} records, "
        f"and RAW has {archived:,} more events",
        f"{removed:,} copies were left out" if removed else "",
        f"{rejected:,} records were rejected with their reasons" if rejected else "",
        f"{dropped:,} events were behind the watermark" if dropped > 0 else "",
    ]
    verdict = "It did what was expected" if unseen is None else f"But it did not do what was expected ({unseen})"
    return f"{'; '.join(filter(None, sentences))}. {verdict}. The proof is the ledger: rtlib ledger."
