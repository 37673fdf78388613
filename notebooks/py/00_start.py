# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 Start here: the pipeline, live
#
# You will learn
#
# - what runs on your machine, and how an event travels through it
# - how to read the graph: status, live numbers with their age, lineage
# - what happens to the rest when one part stops
#
# You need no account and no cloud. Start the stack once, in a terminal, with `rtlib up`. It is ready after about half a
# minute and keeps running until `rtlib down`. The lesson takes about fifteen minutes.
#
# ```text
#                           +--> KPI query (Spark) --> KPI topic --> speed loader --> speed layer --> dashboard
# simulator --> events -----+
#    |          topic       +--> archive query (Spark) ----------------------------> data warehouse --> reports
#    v                               |
#  schema registry                   +--> rejected topic
# ```
#
# The upper path is the *speed layer*: approximate, and only seconds old. The lower path is the history: complete, with
# each event exactly once, but a little later. Both read the same topic.

# %% [markdown]
# The cell below holds the parameter of this lesson: how many seconds to wait for the first numbers. Leave it unchanged
# for now.

# %% tags=["parameters"]
wait_seconds = 60

# %% [markdown]
# Papermill can run a lesson with other values, for example `papermill 00_start.ipynb done.ipynb -p wait_seconds 90`.
# `parameters` validates the value, so that a wrong one stops the lesson here and not halfway through.
#
# In many places the lesson asks you to **predict** a result before you run the cell. Replace `None` with your guess. A
# wrong guess is the fastest way to learn something, and nobody keeps score. `predict` prints the result and says
# whether your guess was right.

# %%
from rtlib.lessons import parameters, predict

wait_seconds = parameters("00_start", wait_seconds=wait_seconds)

# %% [markdown]
# ## Is it running?
#
# An open port proves little. A real health check makes each part do its job: the broker lists its topics, the registry
# lists its subjects, the warehouse answers a query. `rtlib status` does that in a terminal; the cell below runs the
# same command. If the cell fails, the last line of the error says what to type.

# %%
import json
import subprocess
import sys

status_run = subprocess.run([sys.executable, "-m", "rtlib", "status", "--json"], capture_output=True, text=True)
status = json.loads(status_run.stdout or "{}")
assert status.get("running"), f"{status_run.stderr}The stack is not running. Open a terminal and type: rtlib up"

# %% [markdown]
# The stack has eight processes, or fewer if one of them runs elsewhere: `broker` (Kafka), `registry`, `warehouse`,
# `stream` (Spark), `loader`, `alerts`, `simulator`, and `receiver`, a local substitute for Microsoft Teams.
#
# **Predict:** which process uses the most memory?

# %%
import pandas as pd

my_guess = None  # for example "broker"
parts = pd.DataFrame(status["parts"]).set_index("name")
predict("00.a", my_guess, parts["resident_mb"].idxmax())
parts[["state", "healthy", "resident_mb", "uptime_seconds", "said"]].sort_values("resident_mb", ascending=False)

# %% [markdown]
# Spark is a Java process with a Python driver; Kafka and the registry are two more Java processes; the rest is Python.
# If a part is unhealthy, the last column gives the reason. `rtlib logs <name>` shows more, and `rtlib restart <name>`
# often helps.

# %%
print(f"{status['resident_mb'] / 1024:.2f} GB of memory in total, for the domain {status['domain']}")

# %% [markdown]
# ## The graph
#
# Now the picture from above, with live data. A monitor checks every part about once a second, in the background. The
# graph only displays the monitor's latest results, so a slow or dead part never blocks it. Each box has a status:
#
# - *healthy*: the part does its job, and its numbers are fresh
# - *degraded*: the part works, but it lags behind or its numbers are old
# - *stopped*: the part does not answer; its last numbers are marked as old
# - *unknown*: the part has not been checked yet
# - *idle*: the part has no result yet; a batch job makes it some minutes after the first start

# %%
from rtlib.config import load_settings
from rtlib.pipeline.explanations.explainer import explainer
from rtlib.pipeline.monitoring.observe import start_monitor

settings = load_settings()
monitor = start_monitor(settings)

# %% [markdown]
# Click a part. The panel shows its numbers, each with its unit and age, and the graph highlights everything upstream
# and downstream of it. Click the part again to return to the whole picture. With the keyboard, choose a part from the
# list above the panel.

# %%
from rtlib.widgets import dashboard

dashboard(monitor, explain=explainer(settings))

# %% [markdown]
# Before you read on, find three things in the graph: the part with the largest number, the part with the oldest number,
# and the part with no input.
#
# ## The same facts as data
#
# The graph is drawn from plain data, and you can read that data too. Each part has an *observation*: a status, the
# reason for the status, and readings. Shortly after a start some parts have not been checked yet. The function below
# waits until the important parts have.

# %%
from tenacity import retry, stop_after_delay, wait_fixed


@retry(wait=wait_fixed(0.5), stop=stop_after_delay(wait_seconds), reraise=True)
def first_observations():
    missing = {"simulator", "broker", "kpis", "archive", "speed", "dwh"} - monitor.observations().keys()
    assert not missing, f"no observation of {sorted(missing)} within {wait_seconds} s; run: rtlib status"
    return monitor.observations()


# %% [markdown]
# **Predict:** which number is larger, the records in the events topic (part `broker`) or the events in the warehouse
# (part `dwh`)? Why do they differ? Then find both in the table.

# %%
readings = [
    (part, observation.status.value, reading.name, reading.value, reading.unit)
    for part, observation in first_observations().items()
    for reading in observation.readings
]
pd.DataFrame(readings, columns=["part", "status", "reading", "value", "unit"]).set_index(["part", "reading"])

# %% [markdown]
# On a fresh stack the topic has more. It also contains duplicates and malformed records, which the simulator sends on
# purpose, and everything that has arrived since the last micro-batch. The warehouse holds each valid event once. It may
# also have more: history is loaded at the first start, goes straight into the warehouse, and never passes through
# Kafka.
#
# ## Stop a part
#
# The *speed loader* carries KPIs from Kafka to the speed layer. Click it in the graph, and look at what is highlighted
# to its right.
#
# **Predict:** when the loader stops, which parts receive no fresh data? Write their names as a set.

# %%
from rtlib.components import downstream_of

my_guess = None  # for example {"archive", "dwh"}
predict("00.b", my_guess, set(downstream_of("loader")))

# %% [markdown]
# Now try it. Type `rtlib stop loader` in a terminal, count to ten, and look at the graph. Why wait? A part that is
# silent for a second or two may only be busy, so the monitor reports it as stopped only after about ten seconds.
#
# The cell below prints the latest status of each part. Run it while the loader is down. Then type
# `rtlib start loader`, and run it again.
#
# **Predict:** whose status changes, and whose does not?

# %%
statuses = [(part, latest.status.value, latest.reason) for part, latest in monitor.observations().items()]
pd.DataFrame(statuses, columns=["part", "status", "reason"]).set_index("part")

# %% [markdown]
# While the loader was down it was *stopped*, and the numbers downstream of it grew old. The archive was not affected:
# that is the reason for two separate paths. When the loader returns it resumes from its last committed offset, so no
# KPI is lost.
#
# **Try it:** do the same with the simulator: `rtlib stop simulator`, count to ten, look at the graph, and then
# `rtlib start simulator`. Which parts are broken meanwhile?
#
# <details><summary>A hint</summary>
#
# For each part, ask whether it still does its job. Then look at the age of its numbers.
#
# </details>
# <details><summary>The answer</summary>
#
# Only the simulator. Kafka answers, Spark waits for records, the warehouse answers queries; and yet no number changes
# any more. If you only check whether the parts run, a pipeline without events looks healthy. The age of the numbers
# reveals the problem.
#
# </details>
#
# ## Four domains, one parameter
#
# The same pipeline runs four domains. A domain is data, not code: its sites, its kinds of event, its KPIs with their
# thresholds, its busy and quiet hours. To change it, type `rtlib down` and then `rtlib up --domain iot`. Every lesson
# uses the domain of the running stack.

# %%
from rtlib.domains import domain_names, load_domain

domains = [load_domain(name) for name in domain_names()]
rows = [(each.name, each.title, len(each.sites), ", ".join(kpi.title for kpi in each.kpis)) for each in domains]
pd.DataFrame(rows, columns=["domain", "title", "sites", "KPIs"]).set_index("domain")

# %% [markdown]
# Leave the stack running: the next lesson uses it. The graph above stays live until you shut down the kernel of this
# notebook. To open the graph on its own, type `rtlib app` in a terminal.
#
# You have learned
#
# - what runs on your machine, and how an event travels through it
# - how to read the graph: status, live numbers with their age, lineage
# - what happens to the rest when one part stops
#
# Next: `01_kafka`, where you write to the log yourself.
