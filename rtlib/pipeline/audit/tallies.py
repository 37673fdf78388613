"""Tallies: what each run of the simulator sent, and how to make the very same records again; one file a run.

They are the ground truth of every reconciliation. A run's file holds the arguments of its simulator, so that its
records, with their identifiers, can be made again without asking Kafka or the warehouse.
"""

from __future__ import annotations

import json
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


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its simulator and its tally.

    ``closed`` is False while it runs, and stays so when it was killed: its tally may then be a second behind.
    """

    simulator: Simulator
    tally: Tally = Tally()
    closed: bool = False

    @property
    def name(self) -> str:
        """What sets its producers apart from those of other runs."""
        return self.simulator.run

    def records(self) -> Iterator[SimulatedRecord]:
        """The records of the tally once more, in the order in which they were sent."""
        return islice(self.simulator.records(), self.tally.records)


def write_run(settings: Settings, run: Run) -> None:
    """Write a run's file in one step, so that a reader never sees half of it."""
    world = {one.name: getattr(run.simulator, one.name) for one in fields(run.simulator) if one.name != "domain"}
    path = _folder(settings) / f"{run.name}.json"
    private.make_folder(path.parent)
    tally = {**asdict(run.tally), "last_sequence": dict(run.tally.last_sequence)}
    private.write(path, json.dumps({"simulator": world, "tally": tally, "closed": run.closed}, default=_told))


def runs(settings: Settings) -> list[Run]:
    """All runs of the domain since the state folder was last emptied, by name.

    Raises:
        ServiceError: The file of a run is damaged.
    """
    return [_read(settings, path) for path in sorted(_folder(settings).glob("*.json"))]


def written_at(settings: Settings, run: Run) -> float:
    """When its file was last written, in seconds since 1970."""
    return (_folder(settings) / f"{run.name}.json").stat().st_mtime


def _read(settings: Settings, path: Path) -> Run:
    try:
        told = json.loads(path.read_text())
        world = {**told["simulator"], "start": datetime.fromisoformat(told["simulator"]["start"])}
        world.update({name: tuple(world.get(name, ())) for name in ("breakages", "level_kinds")})
        simulator = Simulator(load_domain(settings.domain), **world)
        return Run(simulator, Tally(**told["tally"]), told["closed"])
    except (ValueError, TypeError, KeyError) as error:
        raise ServiceError(
            f"{path} is damaged ({error}), so what this run of the simulator sent is not known",
            cure=f"mv {path} {path}.torn leaves this run out of the ledger",
        ) from error


def _told(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a run's file")


def _folder(settings: Settings) -> Path:
    return settings.home / "tally" / settings.domain
