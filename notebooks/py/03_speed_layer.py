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
# # 03 The speed layer and the warehouse
#
# You will learn
#
# - why the KPI topic holds many records for one number, and which of them counts
# - how a MERGE makes loading safe to repeat
# - why a warehouse loads files of thousands of rows and not single rows
# - what happens to the numbers when the loader is killed
#
# The stack must be running (`rtlib up`). The local warehouse emulates Snowflake and understands its SQL. The client is
# Snowflake's own, so the same cells also run against a Snowflake account. The lesson takes about twenty minutes.

# %% [markdown]
# The parameter of this lesson: how many rows are loaded when files are compared with single rows. With more rows the
# file looks even better, because a load costs almost the same for one row and for ten thousand.

# %% tags=["parameters"]
rows = 5_000

# %% [markdown]
# Papermill can run the lesson with another value, for example `papermill 03_speed_layer.ipynb done.ipynb -p rows
# 20000`. `parameters` validates it. `predict` prints a result next to your guess.

# %%
from rtlib.lessons import parameters, predict

rows = parameters("03_speed_layer", rows=rows)

# %% [markdown]
# The connection comes from `snowflake-connector-python`, and its cursors work as in every Python database client.
# Question marks are placeholders for values. Never format values into the SQL text: one day a site will be called
# `x'; drop table`. `ask` returns the result of a query as a DataFrame.

# %%
import pandas as pd

from rtlib.config import load_settings
from rtlib.warehouse.connection import connect

settings = load_settings()
connection = connect(settings)

def ask(sql, *values):
    cursor = connection.cursor().execute(sql, values)
    return pd.DataFrame(cursor.fetchall(), columns=[column.name.lower() for column in cursor.description])

ask("select current_version() as version")

# %% [markdown]
# ## Many records for one number
#
# In real-time mode Spark emits a KPI whenever an event changes it. The record's key is the window and the site, and the
# newest record of a key holds the current value. This is a stream of *upserts*: each record says "the value is now 8",
# not "add 2". It needs more records, but it makes reading robust: a consumer can start anywhere, miss some records and
# read others twice, and still arrive at the correct value. As in lesson 01, read the newest records of the topic.

# %%
import json
from itertools import islice

from kafka import KafkaConsumer, TopicPartition

from rtlib.broker.client import client_options

topic = settings.topic("kpis")
print(topic)


# %% [markdown]
# The consumer has no group, so it commits no offsets and does not disturb the pipeline.

# %%
def newest(count):
    consumer = KafkaConsumer(**client_options(settings), consumer_timeout_ms=3000)
    consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)])
    ends = consumer.end_offsets(consumer.assignment())
    for tp, end in ends.items():
        consumer.seek(tp, max(0, end - count))
    return list(islice(consumer, sum(min(end, count) for end in ends.values())))


# %% [markdown]
# **Predict:** take the newest records, up to 300 per partition. How many records does a key have on average: one, a
# few, or dozens?

# %%
records = newest(300)
kpis = pd.DataFrame([json.loads(record.value) for record in records])
kpis["key"] = [record.key.decode() for record in records]
print(f"{len(kpis)} records for {kpis['key'].nunique()} keys: {len(kpis) / kpis['key'].nunique():.1f} per key")
kpis.groupby("key")["events"].agg(["first", "last", "count"]).tail(6)

# %% [markdown]
# In each row the number of events grows from `first` to `last`. Writing every one of these records to the warehouse
# would be a waste. The *loader* takes a batch of records, keeps the last record of each key, and merges those. Kafka
# does something similar: the topic is *compacted*, so Kafka may delete the older records of a key.
#
# ## Merge, and merge again
#
# Try a MERGE on a table of your own, with events at a site called oakland. For each new row, MERGE looks for a row with
# the same key. If there is one, it updates that row; otherwise it inserts a new row. It is a single statement, so no
# reader ever sees an intermediate state. This MERGE has an extra condition: it updates a row only if the new value was
# emitted later than the stored one.

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
# Three KPIs arrive: oakland has 5 events at time 1, then 8 events at time 3, then 7 events at time 2. The last one was
# delayed on its way.
#
# **Predict:** how many rows does the table have afterwards, and how many events does oakland have?

# %%
my_guess = None  # for example (1, 8)
for values in (("oakland", 5, 1), ("oakland", 8, 3), ("oakland", 7, 2)):
    connection.cursor().execute(MERGE, values)
merged = ask(f"select site, events from {table} where site = 'oakland'")
predict("03.a", my_guess, (len(merged), int(merged["events"].iloc[0])))

# %% [markdown]
# One row with 8 events: the condition `s.emitted_at > t.emitted_at` keeps the older value out.
#
# **Predict:** the loader crashes after its MERGE and before it commits its offsets to Kafka. Its successor reads the
# same three records again. What does the table contain then?

# %%
my_guess = None  # for example (1, 8)
for values in (("oakland", 5, 1), ("oakland", 8, 3), ("oakland", 7, 2)):
    connection.cursor().execute(MERGE, values)
again = ask(f"select site, events from {table} where site = 'oakland'")
predict("03.b", my_guess, (len(again), int(again["events"].iloc[0])))
assert again.equals(merged), "repeating the same merge must change nothing"

# %% [markdown]
# The same. An operation that can be repeated without harm is called *idempotent*. It makes "at least once" delivery
# sufficient: the loader commits its offsets *after* the MERGE, and a record that arrives twice changes nothing. After a
# crash it does not matter whether the last MERGE succeeded.
#
# ## Single rows or a file
#
# The archive has a different problem: thousands of events per second. Every event counts, so there is nothing to merge;
# all rows must be inserted. First measure single rows, with forty INSERT statements.

# %%
import time

start = time.perf_counter()
for number in range(40):
    connection.cursor().execute(f"insert into {table} values (?, ?, ?)", (f"site {number}", number, 0))
insert_rate = 40 / (time.perf_counter() - start)
print(f"{insert_rate:,.0f} rows per second by INSERT")

# %% [markdown]
# Now write the rows to a file. Each line is a JSON object, and becomes one row.

# %%
import tempfile
from pathlib import Path

path = Path(tempfile.mkdtemp()) / "rows.json"
path.write_text("\n".join(json.dumps({"site": f"site {number}", "events": number}) for number in range(rows)))
print(f"{rows:,} rows in a file of {path.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# Loading takes two steps, as on Snowflake. `PUT` uploads the file to a *stage*, a file area that belongs to the table.
# `COPY INTO` reads the staged files. It remembers which files it has loaded; `force` loads them anyway, so that you can
# run the cell again.
#
# **Predict:** by what factor is the file faster, in rows per second?

# %%
my_guess = None  # for example 100
cursor = connection.cursor().execute("use schema SPEED")
cursor.execute(f"create or replace table {table}_BULK (item variant)")
stage, start = f"@%{table.split('.')[1]}_BULK", time.perf_counter()
cursor.execute(f"put 'file://{path.as_posix()}' {stage} auto_compress=false overwrite=true")
cursor.execute(f"copy into {table}_BULK from {stage} file_format = (type = json) purge = true force = true")
file_rate = rows / (time.perf_counter() - start)
predict("03.c", my_guess, round(file_rate / insert_rate))

# %% [markdown]
# The network is not the reason, because the local warehouse runs on this machine. Each INSERT is parsed, planned and
# committed for a single row. On Snowflake the difference is larger still: each statement crosses the internet and keeps
# a paid warehouse running.

# %%
print(f"{file_rate:,.0f} rows per second by PUT and COPY")
assert int(ask(f"select count(*) as n from {table}_BULK")["n"].iloc[0]) == rows, "every row must be loaded once"
assert file_rate > insert_rate, "a file must be faster; if it is not, set rows at the top to a larger number"

# %% [markdown]
# So the archive query collects the events of one or two seconds, writes them to a file and loads it. The same
# transaction also writes a row about the batch to `RAW.BATCHES`. The table shows how large the newest batches were, and
# how many of their rows were new.

# %%
ask("""select batch_id, rows_read, rows_new, rows_rejected, applied_at
       from RAW.BATCHES where query = 'archive' order by applied_at desc limit 6""")

# %% [markdown]
# ## Kill the loader
#
# Now the real speed layer. The next cell kills the loader with SIGKILL, a signal that no program can catch.
#
# **Predict:** what happens to the numbers on the dashboard: are they wrong, missing, or old? And afterwards: do they
# lack events?

# %%
from rtlib import faults

report = faults.run(settings, "kill-loader", seed=1, notify=print)
print(report.happened)
assert report.recovered, "the loader has not recovered; rtlib status says why"

# %% [markdown]
# The numbers were old for a moment, but never wrong: Spark kept writing to the KPI topic, and the topic kept the
# records. The supervisor started a new loader, which resumed from the last committed offset. Now verify it.
#
# For that we need the newest record of each key. All records of a key are in one partition, and a partition is read in
# order, so the last record that we read for a key is the newest. (Timestamps would not work: Kafka gives all records of
# a producer batch the same timestamp.)

# %%
kpis = pd.DataFrame([json.loads(record.value) for record in newest(4_000)])
kpis["window_start"] = pd.to_datetime(kpis["window_start"]).dt.tz_localize(None)
last = kpis.groupby(["site", "window_start"])["events"].last()

# %% [markdown]
# Two minutes after its end, a window does not change any more. For such windows the newest record in the topic and the
# row in the warehouse must agree.
#
# **Predict:** how many of them differ?

# %%
my_guess = None  # for example 3
stored = ask("select site, window_start, events from SPEED.KPIS where domain = ?", settings.domain)
both = stored.set_index(["site", "window_start"]).join(last.rename("in_kafka"), how="inner").reset_index()
final = both[both["window_start"] < pd.Timestamp.now(tz="UTC").tz_localize(None) - pd.Timedelta(minutes=3)]
predict("03.d", my_guess, int((final["events"] != final["in_kafka"]).sum()))
final.tail(6)

# %% [markdown]
# None. (If the table is empty, your stack is younger than three minutes: run the cell again later.) Finally delete the
# tables of this lesson.

# %%
for name in (table, f"{table}_BULK"):
    connection.cursor().execute(f"drop table if exists {name}")
connection.close()
print("deleted:", table)

# %% [markdown]
# ## Your turn
#
# Four exercises on what you have seen. Replace the blanks, and run the cell: `check` says whether your answer is right
# and, if it is not, which belief it shows. A cell that you leave as it is counts as not answered yet. SQL runs on small
# tables that `check` makes, in a warehouse in memory; the result is compared row by row.

# %%
from rtlib.lessons import check, given, hint, solution

# %% [markdown] exercise="03.1"
# ### Exercise 03.1: the record that counts
#
# The table `kpis` holds records of the KPI topic, with the columns site, window_start, events and emitted_at. Several
# records have the same key, and a later one may *lower* a number that was counted twice. Complete the query, so that it
# returns the record that counts for each key.
#
# *About 4 minutes (complete a line). Help: `hint("03.1")`, and after a try `solution("03.1")`.*

# %% exercise="03.1"
### BEGIN SOLUTION
newest = '''
select site, window_start, events from kpis
qualify row_number() over (partition by site, window_start order by emitted_at desc) = 1
'''
### END SOLUTION
check("03.1", newest)


# %% [markdown] exercise="03.2"
# ### Exercise 03.2: a load that may run twice
#
# Write a MERGE that loads `arrived` into `stored` (both have site, window_start, events and emitted_at). A newer value
# replaces an older one, an older one never replaces a newer one, and to run the statement again changes nothing.
# `check` runs it twice.
#
# *About 8 minutes (write your own). Help: `hint("03.2")`, and after a try `solution("03.2")`.*

# %% exercise="03.2"
### BEGIN SOLUTION
merge_sql = '''
merge into stored t using arrived s on t.site = s.site and t.window_start = s.window_start
when matched and s.emitted_at > t.emitted_at then update set events = s.events, emitted_at = s.emitted_at
when not matched then insert (site, window_start, events, emitted_at)
  values (s.site, s.window_start, s.events, s.emitted_at)
'''
### END SOLUTION
check("03.2", merge_sql)


# %% [markdown] exercise="03.3"
# ### Exercise 03.3: where two layers differ
#
# Lesson 02 and this one together: `speed` holds the counts of the stream (site, window_start, events), `raw` the events
# (event_id, site, occurred_at), in which an event can be twice. Return the windows of a minute in which the two do
# *not* agree, with the columns site, window_start, speed_events and raw_events. A window that one of them lacks differs
# as well; its count is NULL there.
#
# *About 10 minutes (join two lessons). Help: `hint("03.3")`, and after a try `solution("03.3")`.*

# %% exercise="03.3"
### BEGIN SOLUTION
different = '''
with counted as (
    select site, date_trunc('minute', occurred_at) as window_start, count(distinct event_id) as events
    from raw group by 1, 2)
select site, window_start, s.events as speed_events, c.events as raw_events
from speed s full join counted c using (site, window_start) where s.events is distinct from c.events
'''
### END SOLUTION
check("03.3", different)


# %% [markdown] exercise="03.4"
# ### Exercise 03.4: what single rows cost
#
# Snowflake does not bill statements. It bills each second in which a warehouse *runs*, at least 60 seconds for each
# start; here it suspends itself after `idle` seconds without a statement. A program inserts a row every `gap` seconds,
# `statements` rows in all, and each takes 0.1 s. How many seconds are billed, from the first statement to the
# suspension? (The same rows in a single COPY of 2 s: 62.)
#
# *About 5 minutes (write your own). Help: `hint("03.4")`, and after a try `solution("03.4")`.*

# %% exercise="03.4"
### BEGIN SOLUTION
statements, gap, idle = given("03.4")
billed = (statements - 1) * gap + 0.1 + idle
### END SOLUTION
check("03.4", billed)


# %% [markdown]
# You have learned
#
# - why the KPI topic holds many records for one number, and which of them counts
# - how a MERGE makes loading safe to repeat
# - why a warehouse loads files of thousands of rows and not single rows
# - what happens to the numbers when the loader is killed
#
# Next: `04_break_it`, where you break the other parts, and a ledger shows whether an event was lost.
