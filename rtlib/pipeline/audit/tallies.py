"""Tallies: what each run of the simulator sent, and how to generate the same records again; a file for each run.

Tallies are the ground truth of every reconciliation. A run's file holds the arguments of its simulator, so its records
and their identifiers can be generated again without Kafka or the warehouse.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import islice
from pathlib import Path

from rtlib import private
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ServiceError
from rtlib.records import Tally
from rtlib.simulator import SimulatedRecord, Simulator

RUNNING_SECONDS = 5.0  # a simulator writes its tally every second


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the simulator and its tally.

    ``closed`` is False while it runs, and stays False if it was killed: its tally may then be a second behind.
    """

    simulator: Simulator
    tally: Tally = Tally()
    closed: bool = False

    @property
    def name(self) -> str:
        """Distinguishes its producers from those of other runs."""
        return self.simulator.run

    def records(self) -> Iterator[SimulatedRecord]:
        """Generates the records of the tally again, in the order in which they were sent."""
        return islice(self.simulator.records(), self.tally.records)


def write_run(settings: Settings, run: Run) -> None:
    """Write a run's file atomically."""
    arguments = {
        field.name: getattr(run.simulator, field.name) for field in fields(run.simulator) if field.name != "domain"
    }
    path = _folder(settings) / f"{run.name}.json"
    private.make_folder(path.parent)
    tally = {**asdict(run.tally), "last_sequence": dict(run.tally.last_sequence)}
    content = {"simulator": arguments, "tally": tally, "closed": run.closed}
    private.write(path, json.dumps(content, default=_to_json))


def runs(settings: Settings) -> list[Run]:
    """All runs of the domain since the state folder was last emptied, by name.

    Raises:
        ServiceError: The file of a run is damaged.
    """
    return [_read(settings, path) for path in sorted(_folder(settings).glob("*.json"))]


def written_at(settings: Settings, run: Run) -> float:
    """When its file was last written, in seconds since 1970."""
    return (_folder(settings) / f"{run.name}.json").stat().st_mtime


def is_running(settings: Settings, run: Run) -> bool:
    """True while its simulator sends: the tally is open and was written in the last few seconds."""
    return not run.closed and time.time() - written_at(settings, run) < RUNNING_SECONDS


def _read(settings: Settings, path: Path) -> Run:
    try:
        content = json.loads(path.read_text())
        arguments = {**content["simulator"], "start": datetime.fromisoformat(content["simulator"]["start"])}
        arguments.update({name: tuple(arguments.get(name, ())) for name in ("breakages", "level_kinds")})
        simulator = Simulator(load_domain(settings.domain), **arguments)
        return Run(simulator, Tally(**content["tally"]), content["closed"])
    except (ValueError, TypeError, KeyError) as error:
        raise ServiceError(
            f"{path} is damaged ({error}), so what this run of the simulator sent is unknown",
            cure=f"mv {path} {path}.torn leaves this run out of the ledger",
        ) from error


def _to_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not allowed in a run's file")


def _folder(settings: Settings) -> Path:
    return settings.home / "tally" / settings.domain
