"""Faults: a catalog of ways to hurt the pipeline; each states its expected effect, is injected, and is verified.

catalog     every fault by name, with its details chosen by a seed; harmless
effects     the effect that each fault must have on the pipeline's counts
inject      carries out a plan
runner      injects a fault, waits for the recovery, and reports what happened and whether that was expected
soak        several faults at random moments under load, then the ledger
soak_table  several soaks as a table
"""

from rtlib.faults.catalog import MENU, Fault, Plan, plan
from rtlib.faults.runner import Report, button, run

__all__ = ["Fault", "MENU", "Plan", "Report", "button", "plan", "run"]
