"""Pipeline: wires the layers; nothing else knows two of them.

prepare     topics, schema and tables, made once and again without harm
run_part    what each supervised process does: stream, loader, simulator
health      what each part is asked, to know that it works
monitor     what the graph and the app read, gathered in the background
evidence    what each place that keeps count says, for the ledger
backfill    four weeks of history in one go
"""

from rtlib.pipeline.explainer import explainer
from rtlib.pipeline.history import backfill
from rtlib.pipeline.monitor import Monitor, monitor
from rtlib.pipeline.prepare import prepare

__all__ = ["Monitor", "backfill", "explainer", "monitor", "prepare"]
