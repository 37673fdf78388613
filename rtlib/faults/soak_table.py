"""Soak table: several soaks as rows, each with the reasons if it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtlib.faults.soak_result import Soak
from rtlib.ledger import waiting


@dataclass(frozen=True, slots=True)
class Row:
    """A soak as a row of the table.

    Attributes:
        seed: Its seed.
        records, archived, late_dropped, lost, doubled: Counts of its ledger.
        state_rows, state_bound, memory_growth: Size of the state, its limit, and the growth of memory.
        faults: Their names, in order.
        differences: What does not agree, or exceeded its limit.
        holds: True if nothing was lost or doubled and all limits held.
        failed: The error that ended the soak before its ledger; empty if there was none.
    """

    seed: int
    records: int = 0
    archived: int = 0
    late_dropped: int = 0
    lost: int = 0
    doubled: int = 0
    state_rows: int = 0
    state_bound: int = 0
    memory_growth: float = 0.0
    faults: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    holds: bool = False
    failed: str = ""

    @property
    def summary(self) -> str:
        """The outcome in a few words."""
        return self.failed or "; ".join([f"lost {self.lost}, doubled {self.doubled}", *self.differences])


def row(seed: int, soak: Soak) -> Row:
    """A completed soak as a row. Pure."""
    ledger = soak.ledger
    events = [f"lost {event}" for event in ledger.lost_events] + [f"doubled {event}" for event in ledger.doubled_events]
    state, memory = soak.bounds()
    exceeded = ([] if soak.state_holds else [state]) + ([] if soak.memory_holds else [memory])
    return Row(
        seed=seed,
        records=ledger.records_sent,
        archived=ledger.archived,
        late_dropped=ledger.late_dropped,
        lost=ledger.lost,
        doubled=ledger.doubled,
        state_rows=soak.state_rows,
        state_bound=soak.state_bound,
        memory_growth=soak.memory_growth,
        faults=tuple(moment.name for moment in soak.faults),
        differences=(*events, *ledger.differences, *waiting(ledger), *exceeded),
        holds=soak.holds,
    )


def table(rows: Sequence[Row]) -> str:
    """The table as text: a line for each soak, and below it its differences. Pure."""
    lines = [
        f"{'seed':>4} {'records':>9} {'archived':>9} {'late':>6} {'lost':>5} {'doubled':>8} {'state':>8} {'memory':>7} "
        f"{'holds':>6}  faults"
    ]
    for row in rows:
        if row.failed:
            lines.append(f"{row.seed:>4} {row.failed}")
            continue
        lines.append(
            f"{row.seed:>4} {row.records:>9,} {row.archived:>9,} {row.late_dropped:>6,} {row.lost:>5} {row.doubled:>8} "
            f"{row.state_rows:>8,} {row.memory_growth:>7g} {'yes' if row.holds else 'NO':>6}  {', '.join(row.faults)}"
        )
        lines += [f"     {difference}" for difference in row.differences]
    return "\n".join(lines)
