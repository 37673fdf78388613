"""Bench: ratios, each with both sides measured in the same run on the same machine.

suite                all measurements, in one run
load_generator       events made in advance and sent at their scheduled times
latency              from an event to its KPI, in the topic and in the warehouse
clients              two Kafka clients compared, and a bare round trip through Kafka
client_profile       the processor time of a record in a client, by thread and by function
write_rates          a file and COPY INTO compared with single inserts
lag                  how far the archive is behind during a load, and whether the lag grows
load_step            the whole pipeline under one load
ramp                 the cost of more load, and the load that the pipeline sustains
checkpoint_interval  what a short or a long checkpoint interval of real-time mode costs
machine_speed        how fast the machine is during the run
staffing_score       what staffing plans cost, compared with perfect foresight
report               the table, the JSON and the plot
"""

from rtlib.bench.report import Ratio, Result
from rtlib.bench.suite import run

__all__ = ["Ratio", "Result", "run"]
