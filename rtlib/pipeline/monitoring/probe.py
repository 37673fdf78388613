"""Probe: the contract between the monitor and the classes that observe parts of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rtlib.config import Settings
from rtlib.records import Observation


class Probe(Protocol):
    """Observes some parts. Built again after a failure, so it may hold connections."""

    def look(self) -> Mapping[str, Observation]:
        """The current observations, by the names of its factory."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True, slots=True)
class ProbeFactory:
    """Builds a probe.

    Attributes:
        names: The observations that the probe makes (see ``Component.probe``); they are marked as stopped while the
            probe cannot be built.
        build: Builds it; may raise anything.
    """

    names: tuple[str, ...]
    build: Callable[[Settings], Probe]
