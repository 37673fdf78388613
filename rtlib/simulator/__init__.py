"""Simulator: seeded events with real shape, and with the flaws of real life; same seed, same bytes."""

from rtlib.simulator.history import history
from rtlib.simulator.live import Simulator
from rtlib.simulator.records import Defect, SimulatedRecord, TallyKeeper, encode

__all__ = ["Defect", "SimulatedRecord", "Simulator", "TallyKeeper", "encode", "history"]
