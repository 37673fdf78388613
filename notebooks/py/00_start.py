# ---
# jupyter:
#   jupytext:
#     formats: notebooks//ipynb,notebooks/py//py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
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
# minute and goes on until `rtlib down`.

# %% [markdown]
# The cell below holds what you may want to change. Leave it as it is for the first time.

# %% tags=["parameters"]
wait_seconds = 60

# %% [markdown]
# ## Is it running?
#
# We do not ask whether a port is open, because an open port proves little. Each part is asked to *do* what it is there
# for: the broker to list its topics, the registry its subjects, the warehouse to answer a query.

# %%
import json
import subprocess
import sys

told = subprocess.run([sys.executable, "-m", "rtlib", "status", "--json"], capture_output=True, text=True)
status = json.loads(told.stdout)
assert status["running"], "The stack is not running. Open a terminal, type: rtlib up"

# %% [markdown]
# Six processes make up the stack. **Predict before you look:** which of them takes the most memory?

# %%
import pandas as pd

parts = pd.DataFrame(status["parts"])[["name", "state", "healthy", "resident_mb", "said"]]
parts.sort_values("resident_mb", ascending=False)

# %% [markdown]
# Spark does, by far: a Java machine with a Python driver beside it. The whole stack together is still a small part of a
# laptop.

# %%
print(f"{status['resident_mb'] / 1024:.2f} GB resident for the domain {status['domain']}")

# %% [markdown]
# ## The graph
#
# Data flows from left to right. The simulator makes events, Kafka keeps them in a topic, and two Spark queries read that
# same topic: one counts minute by minute (the *speed* path, above), the other archives every event (the *batch* path,
# below). Parts with a dashed outline are planned and not built yet.
#
# A monitor looks at every part about once a second, in the background. The graph only shows what the monitor saw, which
# is why it never waits for a part that is slow or dead.

# %%
from rtlib import pipeline
from rtlib.config import load_settings

settings = load_settings()
monitor = pipeline.monitor(settings)

# %% [markdown]
# Click a part. The panel shows its numbers, each with a unit and an age, and the parts upstream and downstream of it
# light up. Click it again to see everything.

# %%
from rtlib.widgets import dashboard

dashboard(monitor, explain=pipeline.explainer(settings))

# %% [markdown]
# ## The same facts as data
#
# The picture is made of plain data, and you can have it too. An *observation* is what a probe saw: a status, the reason,
# and readings. We wait until every probe has answered once.

# %%
from tenacity import retry, stop_after_delay, wait_fixed


@retry(wait=wait_fixed(0.5), stop=stop_after_delay(wait_seconds))
def seen():
    now = monitor.observations()
    assert {"broker", "kpis", "archive", "speed", "dwh"} <= now.keys()
    return now


# %% [markdown]
# **Predict:** which is larger, the number of records in the events topic, or the number of events in the warehouse?

# %%
observations = seen()
rows = [(name, one.status.value, r.name, r.value, r.unit) for name, one in observations.items() for r in one.readings]
pd.DataFrame(rows, columns=["part", "status", "reading", "value", "unit"]).head(24)

# %% [markdown]
# The topic is ahead: it also holds second copies and broken records, and what has arrived since the last micro-batch.
#
# ## Stop a part
#
# In a terminal, type `rtlib restart loader` and watch the graph. **Predict first:** which parts lose their live numbers,
# and which go on as if nothing had happened?
#
# The speed loader turns to *stopped* for a moment and the speed layer grows old; the archive below does not notice. That
# is what two separate paths are for. The loader comes back, reads on from its last committed offset, and nothing is lost.

# %% [markdown]
# ## Four worlds, one parameter
#
# The same pipeline runs four domains. A domain is data: its sites, its kinds of event, its KPIs with thresholds, its
# demand through day and week. Change it with `rtlib down` and `rtlib up --domain iot`.

# %%
from rtlib.domains import domain_names, load_domain

worlds = [load_domain(name) for name in domain_names()]
pd.DataFrame([(w.name, w.title, len(w.sites), ", ".join(k.title for k in w.kpis)) for w in worlds])

# %% [markdown]
# We end the monitor of this notebook. The stack itself goes on: the next lesson uses it.

# %%
monitor.stop()

# %% [markdown]
# You have learned
#
# - what runs on your machine, and how an event travels through it
# - how to read the graph: status, live numbers with their age, lineage
# - what happens to the rest when one part stops
#
# Next: `01_kafka`, where you write to the log yourself.
