# ---
# jupyter:
#   jupytext:
#     formats: notebooks//ipynb,notebooks/py//py:percent
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
# Nothing here needs an account or a cloud. Start the stack once, in a terminal, with `rtlib up`; it takes about half a
# minute and goes on until `rtlib down`. The lesson takes about fifteen minutes.
#
# ```text
#                           +--> KPI query (Spark) --> KPI topic --> speed loader --> speed layer --> dashboard
# simulator --> events -----+
#    |          topic       +--> archive query (Spark) ----------------------------> data warehouse --> reports
#    v                               |
#  schema registry                   +--> rejected topic
# ```
#
# The upper way is the *speed layer*: rough, and seconds old. The lower way is the history: complete, each event once,
# and a little later. Both read the same topic.

# %% [markdown]
# The cell below holds what you may want to change: how long we wait for the first numbers. Leave it as it is for now.

# %% tags=["parameters"]
wait_seconds = 60

# %% [markdown]
# Papermill runs a lesson with other values, as in `papermill 00_start.ipynb done.ipynb -p wait_seconds 90`. The next
# line checks them, so that a value that cannot work is refused here and not somewhere in the middle.

# %%
from rtlib.lessons import check

wait_seconds = check("00_start", wait_seconds=wait_seconds)

# %% [markdown]
# Often you are asked to **predict** before you run a cell. Replace `None` by your guess; being wrong is the quickest
# way to learn something, and nobody is counting. This small function only says whether guess and truth agree.

# %%
def compare(guess, truth):
    verdict = "no guess yet" if guess is None else "as you said" if guess == truth else f"you said {guess!r}"
    print(f"{truth!r} ({verdict})")


# %% [markdown]
# ## Is it running?
#
# We do not ask whether a port is open, because an open port proves little. Each part is asked to *do* what it is there
# for: the broker to list its topics, the registry its subjects, the warehouse to answer a query. In a terminal the same
# question is `rtlib status`. If the cell fails, its last line says what to type.

# %%
import json
import subprocess
import sys

asked = subprocess.run([sys.executable, "-m", "rtlib", "status", "--json"], capture_output=True, text=True)
status = json.loads(asked.stdout or "{}")
assert status.get("running"), f"{asked.stderr}The stack is not running. Open a terminal, type: rtlib up"

# %% [markdown]
# Eight processes make up the stack, or fewer when one of them runs elsewhere: `broker` (that is Kafka), `registry`,
# `warehouse`, `stream` (Spark), `loader`, `alerts`, `simulator`, and `receiver`, which stands in for Microsoft Teams.
#
# **Predict before you look:** which of them takes the most memory?

# %%
import pandas as pd

my_guess = None  # for instance "broker"
parts = pd.DataFrame(status["parts"]).set_index("name")
compare(my_guess, parts["resident_mb"].idxmax())
parts[["state", "healthy", "resident_mb", "uptime_seconds", "said"]].sort_values("resident_mb", ascending=False)

# %% [markdown]
# Spark is a Java machine with a Python driver beside it; Kafka and the registry are two more Java machines; the rest is
# Python. If a part is not healthy, its last column says why, `rtlib logs` with its name says more, and `rtlib restart`
# with its name often cures it.

# %%
print(f"{status['resident_mb'] / 1024:.2f} GB of memory in all, for the domain {status['domain']}")

# %% [markdown]
# ## The graph
#
# Now the picture from above, alive. A monitor looks at every part about once a second, in the background. The graph
# shows only what the monitor saw, which is why it never waits for a part that is slow or dead. Each box has a status:
#
# - *healthy*: it does its work, and its numbers are fresh
# - *degraded*: it works, but something is wrong with it: it is behind, or its numbers are old
# - *stopped*: it does not answer, and its last numbers are shown as such
# - *unknown*: nobody has looked yet
# - *idle*: it runs when somebody asks for it, and has not run yet

# %%
from rtlib.config import load_settings
from rtlib.pipeline.explanations.explainer import explainer
from rtlib.pipeline.monitoring.observe import start_monitor

settings = load_settings()
monitor = start_monitor(settings)

# %% [markdown]
# Click a part. The panel shows its numbers, each with a unit and an age, and everything upstream and downstream of it
# lights up. Click it again to see the whole. By keyboard, choose a part from the list above the panel.

# %%
from rtlib.widgets import dashboard

dashboard(monitor, explain=explainer(settings))

# %% [markdown]
# Look for three things before you read on: which part has the largest number? Whose number is the oldest? Which part
# has nothing to its left?
#
# ## The same facts as data
#
# The picture is made of plain data, and you can have it too. For each part there is an *observation*: a status, the
# reason for it, and readings. After a fresh start it takes a moment until everybody has been looked at, so we wait for
# that.

# %%
from tenacity import retry, stop_after_delay, wait_fixed


@retry(wait=wait_fixed(0.5), stop=stop_after_delay(wait_seconds), reraise=True)
def everything_seen():
    missing = {"simulator", "broker", "kpis", "archive", "speed", "dwh"} - monitor.observations().keys()
    assert not missing, f"nobody has looked at {sorted(missing)} in {wait_seconds} s; ask: rtlib status"
    return monitor.observations()


# %% [markdown]
# **Predict:** which number is larger, the records in the events topic (part `broker`), or the events in the warehouse
# (part `dwh`)? And why are they not the same? Then look them up in the table.

# %%
readings = [
    (name, seen.status.value, reading.name, reading.value, reading.unit)
    for name, seen in everything_seen().items()
    for reading in seen.readings
]
pd.DataFrame(readings, columns=["part", "status", "reading", "value", "unit"]).set_index(["part", "reading"])

# %% [markdown]
# On a fresh stack the topic is ahead. It also holds second copies and broken records, which the simulator sends on
# purpose, and everything that has arrived since the last micro-batch. In the warehouse each event that fits its schema
# is there once. Once history was loaded (`rtlib backfill`, or lesson 05) the warehouse may be ahead: weeks of past
# events went straight into it and never passed through Kafka.
#
# ## Stop a part
#
# The *speed loader* carries KPIs from Kafka to the speed layer. **Predict:** when it stops, which parts have nothing
# fresh to show? Write their names as a set. Use the graph: click the speed loader, and look at what is lit to its
# right.

# %%
from rtlib.components import downstream_of

my_guess = None  # for instance {"archive", "dwh"}
compare(my_guess, set(downstream_of("loader")))

# %% [markdown]
# Now do it, in a terminal: type `rtlib stop loader`, count to ten, and look at the graph above. The count matters: a
# part that was silent for a second or two may only be busy, so it is called stopped after some eight seconds.
#
# The cell below shows what each part said when it was last looked at. Run it while the loader is down, then type
# `rtlib start loader`, and run it again.
#
# **Predict:** whose status changes, and whose does not?

# %%
now = [(name, seen.status.value, seen.reason) for name, seen in monitor.observations().items()]
pd.DataFrame(now, columns=["part", "status", "reason"]).set_index("part")

# %% [markdown]
# While the loader was down it was *stopped*, and whatever is downstream of it grew old; the archive did not notice.
# That is what two separate paths are for. The loader comes back and reads on from the last offset it has committed, so
# nothing is lost.
#
# **Try it:** do the same with the simulator: `rtlib stop simulator`, count to ten, look, `rtlib start simulator`. Which
# parts are broken then?
#
# <details><summary>A hint</summary>
#
# Ask of each part whether it still does what it is there for. Then look at the age beside its numbers.
#
# </details>
# <details><summary>The answer</summary>
#
# None but the simulator itself. Kafka answers, Spark waits for records, the warehouse takes queries; and yet every
# number stands still. A pipeline without events looks healthy to whoever asks only whether its parts run: the age of
# its numbers is what tells you.
#
# </details>
#
# ## Four worlds, one parameter
#
# The same pipeline runs four domains. A domain is data, not code: its sites, its kinds of event, its KPIs with
# thresholds, its busy and quiet hours. Change it with `rtlib down` and `rtlib up --domain iot`; every
# lesson then works with that domain.

# %%
from rtlib.domains import domain_names, load_domain

worlds = [load_domain(name) for name in domain_names()]
rows = [(one.name, one.title, len(one.sites), ", ".join(kpi.title for kpi in one.kpis)) for one in worlds]
pd.DataFrame(rows, columns=["domain", "what it is", "sites", "KPIs"]).set_index("domain")

# %% [markdown]
# The stack goes on running: the next lesson uses it. The graph above stays alive until you shut down this notebook's
# kernel. To see the graph alone, without a notebook around it, type `rtlib app` in a terminal.
#
# You have learned
#
# - what runs on your machine, and how an event travels through it
# - how to read the graph: status, live numbers with their age, lineage
# - what happens to the rest when one part stops
#
# Next: `01_kafka`, where you write to the log yourself.
