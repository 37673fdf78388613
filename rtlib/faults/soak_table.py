"""Soaks: several soaks as a table, a row for each, with the reason wherever one does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtlib.faults.soak import Soak
from rtlib.ledger import waiting


@dataclass(frozen=True, slots=True)
class Row:
    """One soak of several.

    Attributes:
        seed: Which.
        records, archived, late_dropped, lost, doubled: By its ledger.
        state_rows, state_bound, memory_growth: What the stack weighed, and what the state may have.
        faults: Their names, in order.
        differences: What does not agree, or outgrew its bound.
        holds: Whether all of it is as it should be.
        failed: The error that ended it before there was a ledger; empty when there is one.
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
    def said(self) -> str:
        """The outcome in a few words."""
        return self.failed or f"lost {self.lost}, doubled {self.doubled}" + "".join(
            f"; {it}" for it in self.differences
        )


def row(seed: int, soak: Soak) -> Row:
    """A soak that came to its end, as a row. Pure."""
    taken = soak.ledger
    named = [f"lost {one}" for one in taken.lost_events] + [f"doubled {one}" for one in taken.doubled_events]
    state, memory = soak.bounds()
    outgrown = [] if soak.state_holds else [state]
    outgrown += [] if soak.memory_holds else [memory]
    return Row(
        seed=seed,
        records=taken.records_sent,
        archived=taken.archived,
        late_dropped=taken.late_dropped,
        lost=taken.lost,
        doubled=taken.doubled,
        state_rows=soak.state_rows,
        state_bound=soak.state_bound,
        memory_growth=soak.memory_growth,
        faults=tuple(one.name for one in soak.faults),
        differences=(*named, *taken.differences, *waiting(taken), *outgrown),
        holds=soak.holds,
    )


def table(rows: Sequence[Row]) -> str:
    """A line for each, and below it what does not agree. Pure."""
    lines = [
        f"{'seed':>4} {'records':>9} {'archived':>9} {'late':>6} {'lost':>5} {'doubled':>8} {'state':>8} {'memory':>7} "
        f"{'holds':>6}  faults"
    ]
    for one in rows:
        if one.failed:
            lines.append(f"{one.seed:>4} {one.failed}")
            continue
        lines.append(
            f"{one.seed:>4} {one.records:>9,} {one.archived:>9,} {one.late_dropped:>6,} {one.lost:>5} {one.doubled:>8} "
            f"{one.state_rows:>8,} {one.memory_growth:>7g} {'yes' if one.holds else 'NO':>6}  {', '.join(one.faults)}"
        )
        lines += [f"     {difference}" for difference in one.differences]
    return "\n".join(lines)
