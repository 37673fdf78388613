"""Records: what a run of dbt did, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

WELL = frozenset({"success", "pass", "no-op"})
TESTED_WELL = frozenset({"pass", "warn"})


@dataclass(frozen=True, slots=True)
class NodeResult:
    """One model, seed or snapshot of a run.

    Attributes:
        name: As its file is called.
        kind: ``model``, ``seed`` or ``snapshot``.
        layer: The schema it is in: STAGING, INTERMEDIATE, MARTS, SEEDS or SNAPSHOTS.
        materialized: ``view``, ``table``, ``incremental``, ``seed`` or ``snapshot``.
        status: dbt's word: ``success``, ``error`` or ``skipped``.
        rows: How many it has now; None when it was not built.
        touched: How many of them this run inserted or changed; None when it was not built. All, unless it is
            incremental.
        seconds: How long it took.
        tests, tests_passed: How many data tests of it ran, and passed.
        message: What the warehouse said when it failed; empty otherwise.
    """

    name: str
    kind: str
    layer: str
    materialized: str
    status: str
    rows: int | None
    touched: int | None
    seconds: float
    tests: int = 0
    tests_passed: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One data test or unit test of a run.

    Attributes:
        name: A unit test's own name; a data test's as dbt builds it from the rule, the model and the column.
        kind: ``test`` for one over data, ``unit_test`` for one over made-up rows.
        rule: The rule a data test applies, for instance ``unique``; empty for a unit test.
        model: What it tests.
        column: The column; empty when it tests rows.
        status: dbt's word: ``pass``, ``warn``, ``fail``, ``error`` or ``skipped``.
        failures: How many rows break the rule.
        seconds: How long it took.
        message: What dbt said when it did not pass; empty otherwise.
    """

    name: str
    kind: str
    rule: str
    model: str
    column: str
    status: str
    failures: int
    seconds: float
    message: str = ""

    @property
    def said(self) -> str:
        """One line: what failed, where, and by how many rows."""
        where = f"{self.model}.{self.column}" if self.column else self.model
        what = self.rule or self.name
        rows = f"{self.failures:,} row{'' if self.failures == 1 else 's'}"
        return f"{what} on {where}: {rows}" if self.status in ("fail", "warn") else f"{what} on {where}: {self.status}"


@dataclass(frozen=True, slots=True)
class BuildReport:
    """A run of dbt, as it is told on disk.

    ``seconds`` is the time of the run itself, without dbt's own start; ``command`` is dbt's word for it.
    """

    command: str
    invocation_id: str
    at: datetime
    seconds: float
    nodes: tuple[NodeResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The tests that found something, or could not run; those that were skipped are not among them."""
        return tuple(one for one in self.checks if one.status not in TESTED_WELL | {"skipped"})

    @property
    def broken(self) -> tuple[NodeResult, ...]:
        """The models that were not built, those that were skipped for others included."""
        return tuple(one for one in self.nodes if one.status not in WELL)

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return sum(one.status in TESTED_WELL for one in self.checks)

    @property
    def ok(self) -> bool:
        """True when everything was built and nothing failed."""
        return bool(self.nodes or self.checks) and not self.failed and not self.broken

    def node(self, name: str) -> NodeResult:
        """The result of this model.

        Raises:
            KeyError: The run did not touch it.
        """
        return self.by_name[name]

    @property
    def by_name(self) -> Mapping[str, NodeResult]:
        """The results of models, seeds and snapshots, by name."""
        return {one.name: one for one in self.nodes}


@dataclass(frozen=True, slots=True)
class SourceFreshness:
    """How old the newest row of a source was when dbt asked.

    ``status`` is ``pass``, ``warn``, ``error``, ``runtime error`` or, where there is no row yet, ``empty``; what is not
    known is None.
    """

    source: str
    status: str
    newest_at: datetime | None
    age_seconds: float | None
    asked_at: datetime | None
