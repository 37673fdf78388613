"""Simulator: seeded events with realistic demand and realistic defects; the same seed gives the same bytes."""

from rtlib.simulator.history import history
from rtlib.simulator.live import Simulator
from rtlib.simulator.records import Defect, SimulatedRecord, TallyKeeper, encode

__all__ = ["Defect", "SimulatedRecord", "Simulator", "TallyKeeper", "encode", "history"]
