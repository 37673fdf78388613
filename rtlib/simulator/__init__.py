"""Simulator: seeded events with realistic demand and realistic defects; the same seed gives the same bytes."""

from rtlib.simulator.history import history, history_between
from rtlib.simulator.live import Simulator
from rtlib.simulator.records import Defect, SimulatedRecord, TallyKeeper, encode
from rtlib.simulator.rollups import rollups

__all__ = ["Defect", "SimulatedRecord", "Simulator", "TallyKeeper", "encode", "history", "history_between", "rollups"]
