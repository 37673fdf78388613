"""Faults: the menu of ways to hurt the pipeline; each says what to expect, is done, watched, and told.

menu     every fault by name, with its details chosen by a seed; does no harm
expect   what each must have done to the pipeline's counts
inject   does what a plan says
watch    does it, waits for the recovery, says what happened and whether that was expected
soak     several faults at random moments under load, then the ledger
soaks    several soaks as a table
"""

from rtlib.faults.catalog import MENU, Fault, Plan, plan
from rtlib.faults.runner import Report, button, run

__all__ = ["MENU", "Fault", "Plan", "Report", "button", "plan", "run"]
