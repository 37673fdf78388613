"""Soak result: the faults, samples and ledger of a soak, and the limits it has to keep."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rtlib.faults.peak import Peak
from rtlib.ledger import Ledger
from rtlib.pipeline.workers.flood import Flooded

STEADY_BATCH = 2  # a query's first batch drops no state, because it has no watermark yet; the second is the first to
GROWTH = 1.5  # allowed ratio of memory between the last and the middle third of a run


@dataclass(frozen=True, slots=True)
class Moment:
    """A fault of a soak: when it began (seconds from the start), its name, and what was injected."""

    at_seconds: float
    name: str
    done: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident memory of the stack in MB and rows in the state of the kpis query, with the batch that reported them."""

    at_seconds: float
    resident_mb: float
    state_rows: int
    batch_id: int


@dataclass(frozen=True, slots=True)
class Soak:
    """A soak with its faults, samples and ledger.

    Attributes:
        seed, seconds: Its arguments.
        faults: The injected faults.
        samples: Memory and state over time.
        events: Events sent during the soak, those of faults included.
        state_bound: The limit of the state's rows, however long the soak runs: a row for each event younger than the
            watermark and its intervals, a row for each event of a fault, and a fifth more.
        ledger: The ledger after it.
        peak: Peak memory when large records were sent; it is judged instead of the growth then.
        flooded: The large records.
    """

    seed: int
    seconds: int
    faults: tuple[Moment, ...]
    samples: tuple[Sample, ...]
    events: int
    state_bound: int
    ledger: Ledger
    peak: Peak | None = None
    flooded: Flooded | None = None

    @property
    def steady(self) -> tuple[Sample, ...]:
        """The samples that count for the state: without the first batches of a query that reads its topic again, as
        after its checkpoint was deleted, because these drop no state yet."""
        return tuple(sample for sample in self.samples if sample.batch_id >= STEADY_BATCH)

    @property
    def state_rows(self) -> int:
        """The most rows in the state of the kpis query, over the steady samples."""
        return max((sample.state_rows for sample in self.steady), default=0)

    @property
    def judges_state(self) -> bool:
        """False if fewer events were sent than the state may hold: it could not have exceeded its limit."""
        return self.events > self.state_bound

    @property
    def state_holds(self) -> bool:
        """True if the state stayed within its limit, or the run was too short to tell."""
        return not self.judges_state or (bool(self.steady) and self.state_rows <= self.state_bound)

    @property
    def memory_growth(self) -> float:
        """Ratio of resident memory between the last and the middle third (medians)."""
        return growth([sample.resident_mb for sample in self.samples])

    @property
    def memory_holds(self) -> bool:
        """True if memory did not grow, or stayed within its limit under large records."""
        return self.memory_growth <= GROWTH if self.peak is None else self.peak.holds

    @property
    def holds(self) -> bool:
        """True if nothing was lost or doubled, and state and memory stayed within their limits."""
        return self.ledger.reconciles and self.state_holds and self.memory_holds

    def bounds(self) -> tuple[str, str]:
        """A sentence about the state and a sentence about memory, each with its limit."""
        limit = f"{self.state_bound:,} allowed"
        if not self.judges_state:
            limit += f"; not judged, since {self.events:,} events are too few to exceed that: soak for longer"
        elif not self.steady:
            limit += "; no steady batch reported any"
        return (
            f"state: at most {self.state_rows:,} rows, {limit}",
            f"memory: x{self.memory_growth:g} from the middle third of the run to its last, x{GROWTH:g} allowed"
            if self.peak is None
            else self.peak.render(),
        )


def growth(values: Sequence[float]) -> float:
    """Ratio of the medians of the last and the middle third; 1 for fewer than three values."""
    third = len(values) // 3
    if third == 0:
        return 1.0
    middle, last = statistics.median(values[third : 2 * third]), statistics.median(values[-third:])
    return round(last / middle, 3) if middle else 1.0
