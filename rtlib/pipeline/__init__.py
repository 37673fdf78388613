"""Pipeline: wires the layers; nothing else knows two of them.

prepare     topics, schema and tables, made once and again without harm
run_part    what each supervised process does: stream, loader, simulator
health      what each part is asked, to know that it works
monitor     what the graph and the app read, gathered in the background
reconcile   do all counts agree: sent, in Kafka, archived, rejected, measured
backfill    four weeks of history in one go
"""

from rtlib.pipeline.explainer import explainer
from rtlib.pipeline.history import backfill
from rtlib.pipeline.monitor import Monitor, monitor
from rtlib.pipeline.prepare import prepare
from rtlib.pipeline.reconcile import Reconciliation, reconcile

__all__ = ["Monitor", "Reconciliation", "backfill", "explainer", "monitor", "prepare", "reconcile"]
