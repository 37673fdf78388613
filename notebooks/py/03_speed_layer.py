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
# # 03 The speed layer and the warehouse
#
# You will learn
#
# - why the KPI topic holds many records for one number, and which of them counts
# - how a MERGE makes loading safe to repeat
# - why a warehouse takes files by the thousand rows and not rows one by one
# - what happens to the numbers when the loader is killed
#
# The stack must be running (`rtlib up`). The warehouse on your machine is a stand-in that understands Snowflake's SQL;
# the client is Snowflake's own, and with an account the same cells run there. This lesson takes twenty minutes or so.

# %% [markdown]
# What you may change: how many rows are loaded in the comparison of files and single rows further down. More rows make
# the file look better still, for its price is nearly the same for one row and for ten thousand.

# %% tags=["parameters"]
rows = 5_000

# %% [markdown]
# Papermill runs a lesson with other values, as in `papermill 03_speed_layer.ipynb done.ipynb -p rows 20000`. The next
# line checks them, so that a value that cannot work is refused here and not somewhere in the middle.

# %%
from rtlib.lessons import check

rows = check("03_speed_layer", rows=rows)

# %% [markdown]
# The connection is the one of `snowflake-connector-python`, and a cursor is a cursor as everywhere in Python's
# databases. Values go in place of the question marks; never put them into the text of a statement yourself, or one day
# a site will be called `x'; drop table`. `ask` makes a table of an answer.

# %%
import pandas as pd

from rtlib.config import load_settings
from rtlib.warehouse.connection import connect

settings = load_settings()
connection = connect(settings)

def ask(sql, *values):
    cursor = connection.cursor().execute(sql, values)
    return pd.DataFrame(cursor.fetchall(), columns=[column.name.lower() for column in cursor.description])

# %% [markdown]
# And the function that compares your guess with the truth.

# %%
def compare(guess, truth):
    verdict = "no guess yet" if guess is None else "as you said" if guess == truth else f"you said {guess!r}"
    print(f"{truth!r} ({verdict})")


ask("select current_version() as version")

# %% [markdown]
# ## Many records for one number
#
# In real-time mode Spark sends a KPI each time an event changes it. The topic is keyed by window and site, and the
# newest record of a key is the number. Such a stream is called one of *upserts*: each record says "from now on it is
# this", and not "two more". It costs more records, and in exchange a reader may begin anywhere, may miss some, and may
# read some twice, and in the end has the right number. Let us read the newest records of the topic, as in lesson 01.

# %%
import json
from itertools import islice

from kafka import KafkaConsumer, TopicPartition

from rtlib.broker.client import client_options

topic = settings.topic("kpis")
print(topic)

# %% [markdown]
# A reader without a group, which commits nothing and disturbs nobody:

# %%
def newest(count):
    reader = KafkaConsumer(**client_options(settings), consumer_timeout_ms=3000)
    reader.assign([TopicPartition(topic, number) for number in reader.partitions_for_topic(topic)])
    ends = reader.end_offsets(reader.assignment())
    for partition, end in ends.items():
        reader.seek(partition, max(0, end - count))
    return list(islice(reader, sum(min(end, count) for end in ends.values())))

# %% [markdown]
# **Predict:** of the newest records, up to 300 of each partition, how many share a key on average: one, a few, or
# dozens?

# %%
records = newest(300)
kpis = pd.DataFrame([json.loads(record.value) for record in records])
kpis["key"] = [record.key.decode() for record in records]
print(f"{len(kpis)} records for {kpis['key'].nunique()} keys: {len(kpis) / kpis['key'].nunique():.1f} each")
kpis.groupby("key")["events"].agg(["first", "last", "count"]).tail(6)

# %% [markdown]
# In each line the count of events grows from `first` to `last`. To write each of these records into the warehouse would
# be a waste. The *loader* takes all that have come, keeps the last of each key, and merges those. Kafka does something
# like it on its own account: the topic is *compacted*, so that old records of a key may be thrown away.
#
# ## Merge, and merge again
#
# Try it on a table of your own, with an example of its own: events at a site called oakland. A MERGE looks for each new
# row's partner. When there is one it updates it, when there is none it inserts. That is one statement, so nobody ever
# sees the table between the two. The one below has a condition more: it updates only when the new row was emitted later
# than the one that is there.

# %%
import uuid

table = f"SPEED.LESSON_{uuid.uuid4().hex[:8]}"
connection.cursor().execute(f"create table {table} (site varchar, events number(19, 0), emitted_at number(19, 0))")
MERGE = f"""
merge into {table} t using (select ? as site, ? as events, ? as emitted_at) s on t.site = s.site
when matched and s.emitted_at > t.emitted_at then update set events = s.events, emitted_at = s.emitted_at
when not matched then insert (site, events, emitted_at) values (s.site, s.events, s.emitted_at)
"""

# %% [markdown]
# **Predict:** three KPIs come: oakland has 5 events at time 1, oakland has 8 at time 3, oakland has 7 at time 2, which
# was held up on the way. How many rows are there then, and how many events does the row say?

# %%
my_guess = None  # for instance (1, 8)
for values in (("oakland", 5, 1), ("oakland", 8, 3), ("oakland", 7, 2)):
    connection.cursor().execute(MERGE, values)
seen = ask(f"select site, events from {table} where site = 'oakland'")
compare(my_guess, (len(seen), int(seen["events"].iloc[0])))

# %% [markdown]
# One row, 8 events: `s.emitted_at > t.emitted_at` keeps the older number out. **Predict:** the loader crashes after its
# MERGE and before it has told Kafka so. The next one does all three again. What does the table say?

# %%
my_guess = None  # for instance (1, 8)
for values in (("oakland", 5, 1), ("oakland", 8, 3), ("oakland", 7, 2)):
    connection.cursor().execute(MERGE, values)
again = ask(f"select site, events from {table} where site = 'oakland'")
compare(my_guess, (len(again), int(again["events"].iloc[0])))
assert again.equals(seen), "the same merge once more must change nothing"

# %% [markdown]
# The same. An operation that may be repeated without harm is called *idempotent*. With it "at least once" is enough:
# the loader commits its offsets *after* the MERGE, and what comes twice changes nothing. Nobody needs to know whether
# the last thing before a crash was done.
#
# ## Rows one by one, or a file
#
# The archive has another problem: thousands of events a second. Each of them matters, so there is nothing to merge, and
# they have to go in as they are. First one by one: forty INSERTs.

# %%
import time

began = time.perf_counter()
for number in range(40):
    connection.cursor().execute(f"insert into {table} values (?, ?, ?)", (f"site {number}", number, 0))
by_insert = 40 / (time.perf_counter() - began)
print(f"{by_insert:,.0f} rows a second by INSERT")

# %% [markdown]
# Now as a file. One line of JSON is one row.

# %%
import tempfile
from pathlib import Path

path = Path(tempfile.mkdtemp()) / "rows.json"
path.write_text("\n".join(json.dumps({"site": f"site {one}", "events": one}) for one in range(rows)))
print(f"{rows:,} rows in a file of {path.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# It takes two steps, here as on Snowflake: `PUT` brings the file to a *stage*, a place for files that belongs to the
# table, and `COPY INTO` reads the files that are there. It remembers which it has read; `force` reads them all the
# same, so that you can run the cell again.
#
# **Predict:** how many times as many rows a second is that?

# %%
my_guess = None  # for instance 100, if you expect a hundred times as many
cursor = connection.cursor().execute("use schema SPEED")
cursor.execute(f"create or replace table {table}_BULK (item variant)")
stage, began = f"@%{table.split('.')[1]}_BULK", time.perf_counter()
cursor.execute(f"put 'file://{path.as_posix()}' {stage} auto_compress=false overwrite=true")
cursor.execute(f"copy into {table}_BULK from {stage} file_format = (type = json) purge = true force = true")
by_file = rows / (time.perf_counter() - began)
compare(my_guess, round(by_file / by_insert))

# %% [markdown]
# The difference is not the network, for there is none between here and the stand-in. Each statement is parsed, planned
# and committed, and then it does one row's worth of work. On Snowflake it is worse, because each one crosses the
# internet and is billed.

# %%
print(f"{by_file:,.0f} rows a second by PUT and COPY")
assert int(ask(f"select count(*) as n from {table}_BULK")["n"].iloc[0]) == rows, "every row must have come, once"
assert by_file > by_insert, "a file must be faster: is it large enough to be worth a statement? See rows, at the top"

# %% [markdown]
# So the archive query collects a second or two of events, writes a file, and loads it; the row of its batch in
# `RAW.BATCHES` is written in the same transaction. See how large the newest batches were, and how many of their rows
# were new.

# %%
ask("""select batch_id, rows_read, rows_new, rows_rejected, applied_at
       from RAW.BATCHES where query = 'archive' order by applied_at desc limit 6""")

# %% [markdown]
# ## Kill the loader
#
# Now the real speed layer. **Predict:** the loader is killed, with the signal that no program can refuse. What do you
# expect of the dashboard's numbers: wrong, gone, or old? And afterwards: are events missing from them?

# %%
from rtlib import faults

report = faults.run(settings, "kill-loader", seed=1, notify=print)
print(report.happened)
assert report.recovered, "the loader has not come back; rtlib status says why"

# %% [markdown]
# They were old for a moment, never wrong: the KPI topic went on without its reader, and kept what was not yet read. The
# supervisor started a new loader, which went on at the offset that was committed last. Let us make sure.
#
# We need the topic's newest record of each key. A key is always in the same partition, and a partition is read in
# order, so of a key the last that we read is the newest. (Their times would not do: records that Kafka got in one
# batch have the same one.)

# %%
kpis = pd.DataFrame([json.loads(record.value) for record in newest(4_000)])
kpis["window_start"] = pd.to_datetime(kpis["window_start"]).dt.tz_localize(None)
last = kpis.groupby(["site", "window_start"])["events"].last()

# %% [markdown]
# Windows that have been over for two minutes do not change any more, so for those the topic's newest record and the
# warehouse's row must say the same. **Predict:** how many of them differ?

# %%
my_guess = None  # for instance 3
held = ask("select site, window_start, events from SPEED.KPIS where domain = ?", settings.domain)
both = held.set_index(["site", "window_start"]).join(last.rename("in_kafka"), how="inner").reset_index()
over = both[both["window_start"] < pd.Timestamp.now(tz="UTC").tz_localize(None) - pd.Timedelta(minutes=3)]
compare(my_guess, int((over["events"] != over["in_kafka"]).sum()))
over.tail(6)

# %% [markdown]
# None. (An empty table means that your stack is younger than three minutes: run the cell again later.) Last, your
# tables go.

# %%
for name in (table, f"{table}_BULK"):
    connection.cursor().execute(f"drop table if exists {name}")
connection.close()
print("gone:", table)

# %% [markdown]
# You have learned
#
# - why the KPI topic holds many records for one number, and which of them counts
# - how a MERGE makes loading safe to repeat
# - why a warehouse takes files by the thousand rows and not rows one by one
# - what happens to the numbers when the loader is killed
#
# Next you break everything else, and a ledger says whether anything was lost.
