"""Bench: ratios, each with both sides measured in the same run on the same machine.

load      events made beforehand and sent at their time, so that making them costs the measurement nothing
latency   from an event to its KPI, in the topic and in the warehouse
clients   two Kafka clients against each other, and a bare loop through Kafka
costs     what a record costs a client, by thread and by a profile
bulk      a file and COPY INTO against single inserts
lag       how far the archive is behind in the course of a load, and whether that grows
step      the whole pipeline under one load
pace      how fast the machine is meanwhile
growth    what twice and four times the load costs, and how much the pipeline sustains
report    the table, the JSON and the plot
whole     all of it, in one run
"""

from rtlib.bench.report import Ratio, Result
from rtlib.bench.suite import run

__all__ = ["Ratio", "Result", "run"]
