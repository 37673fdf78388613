"""Records: a run of dbt as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

WELL = frozenset({"success", "pass", "no-op"})
TESTED_WELL = frozenset({"pass", "warn"})


@dataclass(frozen=True, slots=True)
class NodeResult:
    """A model, seed or snapshot of a run.

    Attributes:
        name: Name of its file.
        kind: ``model``, ``seed`` or ``snapshot``.
        layer: Its schema: STAGING, INTERMEDIATE, MARTS, SEEDS or SNAPSHOTS.
        materialized: ``view``, ``table``, ``incremental``, ``seed`` or ``snapshot``.
        status: dbt's status: ``success``, ``error`` or ``skipped``.
        rows: Number of rows after the run; None if it was not built.
        touched: Rows that the run inserted or changed, all rows unless it is incremental; None if it was not built.
        seconds: Duration.
        tests, tests_passed: Number of its data tests that ran, and that passed.
        message: The warehouse's error message if it failed; else empty.
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
    """A data test or unit test of a run.

    Attributes:
        name: Name of a unit test; for a data test dbt builds it from the rule, the model and the column.
        kind: ``test`` for a data test, ``unit_test`` for a test over given rows.
        rule: The rule of a data test, for instance ``unique``; empty for a unit test.
        model: The tested model.
        column: The tested column; empty for a test of rows.
        status: dbt's status: ``pass``, ``warn``, ``fail``, ``error`` or ``skipped``.
        failures: Number of rows that violate the rule.
        seconds: Duration.
        message: dbt's message if it did not pass; else empty.
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
    def summary(self) -> str:
        """The failed rule, the place and the number of rows, in a line."""
        where = f"{self.model}.{self.column}" if self.column else self.model
        test = self.rule or self.name
        rows = f"{self.failures:,} row{'' if self.failures == 1 else 's'}"
        return f"{test} on {where}: {rows if self.status in ('fail', 'warn') else self.status}"


@dataclass(frozen=True, slots=True)
class BuildReport:
    """A run of dbt, as recorded on disk.

    Attributes:
        command: dbt's command, for instance ``build``.
        invocation_id: dbt's id of the run.
        at: End of the run.
        seconds: Duration of the run, without the start of dbt.
        nodes: Models, seeds and snapshots.
        checks: Data tests and unit tests.
    """

    command: str
    invocation_id: str
    at: datetime
    seconds: float
    nodes: tuple[NodeResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The tests that failed or could not run, without those that were skipped."""
        return tuple(check for check in self.checks if check.status not in TESTED_WELL | {"skipped"})

    @property
    def broken(self) -> tuple[NodeResult, ...]:
        """The models that failed, and those that were skipped because of them."""
        return tuple(node for node in self.nodes if node.status not in WELL)

    @property
    def passed(self) -> int:
        """Number of tests that passed."""
        return sum(check.status in TESTED_WELL for check in self.checks)

    @property
    def ok(self) -> bool:
        """True if everything was built and no test failed."""
        return bool(self.nodes or self.checks) and not self.failed and not self.broken

    def node(self, name: str) -> NodeResult:
        """The result of this model.

        Raises:
            KeyError: The model was not part of the run.
        """
        return self.by_name[name]

    @property
    def by_name(self) -> Mapping[str, NodeResult]:
        """The results of models, seeds and snapshots, by name."""
        return {node.name: node for node in self.nodes}


@dataclass(frozen=True, slots=True)
class SourceFreshness:
    """The age of the newest row of a source.

    Attributes:
        source: The source, for instance ``raw.events``.
        status: ``pass``, ``warn``, ``error``, ``runtime error``, or ``empty`` if the source has no row.
        newest_at: Time of the newest row; None if unknown.
        age_seconds: Its age at ``asked_at``; None if unknown.
        asked_at: Time of dbt's query; None if it failed.
    """

    source: str
    status: str
    newest_at: datetime | None
    age_seconds: float | None
    asked_at: datetime | None
