"""Simulator: seeded events with real shape, and with the flaws of real life; same seed, same bytes."""

from rtlib.simulator.history import history
from rtlib.simulator.live import Simulator
from rtlib.simulator.sent import Flaw, Sent, TallyKeeper, encode

__all__ = ["Flaw", "Sent", "Simulator", "TallyKeeper", "encode", "history"]
