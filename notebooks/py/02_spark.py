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
# # 02 Spark: windows, watermarks and late events
#
# You will learn
#
# - how a stream is counted in windows of event time
# - what a watermark is, and which late event it drops
# - what a micro-batch costs against real time, measured by you
# - how to ask a query what it knew at a moment that is over
#
# The stack must be running (`rtlib up`). You start a small Spark of your own beside the pipeline's; it takes half a
# gigabyte for a while. Its first half has an example of its own, events at one site called oakland; the second half
# measures the domain that your stack runs. This lesson takes half an hour or so.

# %% [markdown]
# What you may change: how late an event may be (further down you will), and how many batches of your own query are
# measured.

# %% tags=["parameters"]
delay = "30 seconds"
measure_batches = 12

# %% [markdown]
# Papermill runs a lesson with other values, as in `papermill 02_spark.ipynb done.ipynb -p delay "45 seconds"`. The next
# line checks them, so that a value that cannot work is refused here and not somewhere in the middle.

# %%
from rtlib.lessons import check

delay, measure_batches = check("02_spark", delay=delay, measure_batches=measure_batches)

# %% [markdown]
# Where Kafka is, and the function that compares your guess with the truth.

# %%
from rtlib.config import load_settings
from rtlib.pipeline.monitoring import health

settings = load_settings()
print(f"Kafka at {settings.bootstrap_servers} {health.broker(settings)}")

def compare(guess, truth):
    verdict = "no guess yet" if guess is None else "as you said" if guess == truth else f"you said {guess!r}"
    print(f"{truth!r} ({verdict})")

# %% [markdown]
# ## A Spark of your own
#
# `SparkSession.builder` is how every Spark program begins, and its options are what such programs differ in. Two
# shuffle partitions are enough here; Spark's own default is 200, and a stream pays for each of them in each batch,
# which is the most common reason for a slow first stream. The time zone is UTC, so that what you read is what was
# written. `spark_options` adds what only concerns this machine: where the Kafka connector lies, which Java there is,
# and that nobody from outside may connect.

# %%
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from rtlib.pipeline.notebook_spark import spark_options

options = {"spark.driver.memory": "512m", "spark.sql.shuffle.partitions": "2", "spark.sql.session.timeZone": "UTC"}
options |= spark_options(settings)

# %% [markdown]
# `local[2]` means two threads in this one process: the same program would run on a hundred machines with another
# master. It takes some seconds to start.

# %%
spark = SparkSession.builder.appName("lesson").master("local[2]").config(map=options).getOrCreate()
spark.sparkContext.setLogLevel("ERROR")

# %% [markdown]
# We want to choose the events ourselves, down to the second, so we write to a topic of our own. An event is a site and
# the time *at which it happened*, its *event time*. When it arrives is another matter, and that difference is what this
# lesson is about. A phone in a tunnel sends its event minutes later; a count by arrival would put the event into the
# wrong minute, and another run over the same data would put it somewhere else.

# %%
import json
from uuid import uuid4

from kafka import KafkaProducer

from rtlib.broker.client import client_options

connection = client_options(settings)
topics, producer = [], KafkaProducer(**connection, acks="all")

def send(*times, site="oakland"):
    for time in times:
        producer.send(topic, json.dumps({"site": site, "at": f"2026-01-05T{time}Z"}).encode()).get(timeout=30)

# %% [markdown]
# ## Counting in windows
#
# A stream has no end, so "how many events" has no answer. "How many in the minute that began at 12:00" has one. The
# query says just that: read the topic, take the JSON apart, group by a window of one minute and by site, count. It is
# the code you would write for a table. Kafka hands over bytes, so the value is cast to a text and parsed with a schema
# that we give, because a stream cannot be read beforehand to guess one. The watermark comes into play further down.
#
# First a topic with one partition. If you want to do the windows once more, run all cells from here on.

# %%
from kafka.admin import KafkaAdminClient, NewTopic

admin, topic = KafkaAdminClient(**connection), f"rtlib.lesson.spark.{uuid4().hex[:8]}"
admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
topics.append(topic)

# %% [markdown]
# And the query over it. Spark's own Kafka client takes what `client_options` holds by other names.

# %%
from rtlib.broker.client import spark_options as kafka_options

source = spark.readStream.format("kafka").options(**kafka_options(settings))
records = source.option("subscribe", topic).option("startingOffsets", "earliest").load()
fields = F.from_json(F.col("value").cast("string"), "site string, at timestamp")
events = records.select(fields.alias("event")).select("event.*")
counts = events.withWatermark("at", delay).groupBy(F.window("at", "1 minute"), "site").count()

# %% [markdown]
# Nothing has run so far: a query begins with `start`. It writes into a table in memory, in *update* mode: each time a
# window's count changes, a row with the new count comes out. `processAllAvailable` waits until the query has read
# everything that is in the topic; that is for lessons and tests, a real query simply goes on.

# %%
for old in spark.streams.active:
    old.stop()
query = counts.writeStream.format("memory").queryName("counts").outputMode("update").start()

def look():
    query.processAllAvailable()
    rows = spark.table("counts").select(F.date_format("window.start", "HH:mm").alias("window"), "site", "count")
    return rows.groupBy("window", "site").agg(F.max("count").alias("count")).orderBy("window").toPandas()

# %% [markdown]
# **Predict:** three events of oakland, at 12:00:05, at 12:00:40 and at 12:01:10. How many windows are there?

# %%
my_guess = None  # for instance 3
send("12:00:05", "12:00:40", "12:01:10")
table = look()
compare(my_guess, len(table))
table

# %% [markdown]
# Two. Now an event of 12:00:50 arrives, after that of 12:01:10. It is late: its minute is over by the clock of the
# events. **Predict:** what is the count of the window 12:00 afterwards?

# %%
my_guess = None  # for instance 2
send("12:00:50")
table = look()
compare(my_guess, int(table.set_index("window")["count"]["12:00"]))

# %% [markdown]
# Three: the window was still open. Spark cannot keep every window open for ever, for each one is state, rows in memory
# and on disk. So we promised something in the query: `withWatermark("at", delay)` says that an event is at most 30
# seconds behind the newest one. The *watermark* is that line: the newest event time so far, less 30 seconds. Windows
# that end at or before it are closed and forgotten. **Predict:** where is the watermark now?

# %%
my_guess = None  # for instance "12:01:00"
progress = query.lastProgress
compare(my_guess, progress["eventTime"]["watermark"][11:19])

# %% [markdown]
# 12:01:10 less 30 seconds. The window 12:00 ends at 12:01:00, and the watermark has not come that far. Each batch tells
# how many rows it dropped because they came too late; `dropped` adds them up.

# %%
def dropped():
    operators = [operator for batch in query.recentProgress for operator in batch["stateOperators"]]
    return sum(operator["numRowsDroppedByWatermark"] for operator in operators)


# %% [markdown]
# Next an event of 12:02:00 arrives, and the watermark moves with it. **Predict:** after that two more events arrive,
# one of 12:00:55 and one of 12:01:20. How many of these two are dropped, and which?

# %%
my_guess = None  # for instance 0, 1 or 2: how many events are dropped
send("12:02:00")
look()
send("12:00:55", "12:01:20")
table = look()
compare(my_guess, dropped())

# %% [markdown]
# One. The event of 12:02:00 moved the watermark to 12:01:30. That closed the window 12:00, so 12:00:55 came too late
# and was dropped. The event of 12:01:20 is behind the watermark as well, but its *window* ends at 12:02:00 and is still
# open: what counts is the end of the window. See for yourself:

# %%
import pandas as pd

watermark = pd.Timestamp("12:02:00") - pd.Timedelta(delay)
closed = pd.Timestamp("12:01:00") <= watermark
assert dropped() == closed, "a window that the watermark has reached drops; run again from the cell that makes a topic"
table

# %% [markdown]
# A watermark is a trade. A longer delay waits for more late events and keeps more state; a shorter one is cheaper and
# drops more.
#
# **Try it:** which is the shortest delay, in whole seconds, that would have counted all of them? Change `delay` in the
# cell of the parameters, run that cell, and then again from the cell that makes a topic.
#
# <details><summary>A hint</summary>
#
# The window 12:00 ends at 12:01:00, and the newest event is of 12:02:00. A window is closed when its end lies at *or*
# before the watermark.
#
# </details>
# <details><summary>The answer</summary>
#
# 61 seconds. With 60 the watermark stands at 12:01:00, which is the window's end, and the window is closed.
#
# </details>

# %% [markdown]
# And the dropped event? The pipeline has a second query, the *archive*, without windows and without a watermark: it
# keeps every event. So the fast number may lack a late event, the exact one never does.
#
# ## Micro-batch against real time
#
# Your query collects what has come and works on it as a small batch, again and again. The pipeline's own query runs in
# *real-time mode*: its tasks stay up, and each event goes through them as it comes. What is the difference worth? We
# measure it: from the moment at which an event happened to the moment at which Kafka has the KPI that counts it.
# First the pipeline's, from the newest records of its topic. `newest` goes some records back from the end of each
# partition and reads from there, as in lesson 01.

# %%
from itertools import islice

import matplotlib.pyplot as plt
from kafka import KafkaConsumer, TopicPartition

# %% [markdown]
# A reader without a group, which commits nothing and disturbs nobody:

# %%
def newest(topic, count):
    reader = KafkaConsumer(**connection, consumer_timeout_ms=3000)
    reader.assign([TopicPartition(topic, number) for number in reader.partitions_for_topic(topic)])
    ends = reader.end_offsets(reader.assignment())
    for partition, end in ends.items():
        reader.seek(partition, max(0, end - count))
    return list(islice(reader, sum(min(end, count) for end in ends.values())))

# %% [markdown]
# Each KPI record says when its newest event happened, and Kafka says when the record was written. Late events would
# spoil the picture, for they were under way for long before Kafka had them: so we take the median. Both clocks are
# those of this machine, so there is no skew between them. On several machines this subtraction would be worth little
# without a common clock; the clocks' error would hide the milliseconds we are after.

# %%
def seconds(record):
    newest_event = pd.Timestamp(json.loads(record.value)["last_event_at"])
    return record.timestamp / 1000 - newest_event.timestamp()


real_time = pd.Series([seconds(record) for record in newest(settings.topic("kpis"), 100)])
assert len(real_time), "the pipeline has sent no KPI yet: wait half a minute, then run this cell again"
print(f"real-time mode: median {1000 * real_time.median():.0f} ms over {len(real_time)} KPI records")

# %% [markdown]
# Now the same by micro-batches. Your query reads the pipeline's events, five bytes off as lesson 01 has shown, counts
# them by site and minute, and writes to your own topic. Each batch begins as soon as the one before is over. It even
# does less than the pipeline's: it checks no schema and drops no duplicates. So if it is slower, it is not for that.
#
# Two things make the comparison crooked, one to each side. We measure from the *newest* event of each update, and that
# flatters the micro-batch: the other events of its batch have waited longer. And the first batches of a Spark that was
# just started, with two threads, are slow: that counts against it. The second we can mend, and leave the first three
# batches out.

# %%
fields = F.from_json(F.expr("cast(substring(value, 6) as string)"), "site string, occurred_at timestamp")
live = source.option("subscribe", settings.topic("events")).option("startingOffsets", "latest").load()
live = live.select(fields.alias("event")).select("event.*").withWatermark("occurred_at", "30 seconds")
minutes = live.groupBy(F.window("occurred_at", "1 minute"), "site")
kpis = minutes.agg(F.count("*").alias("events"), F.max("occurred_at").alias("last_event_at"))
value = F.to_json(F.struct("site", "events", "last_event_at"), {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSX"})
out = kpis.select(value.alias("value")).writeStream.format("kafka").outputMode("update")

# %% [markdown]
# It runs for some batches now, and says how many are over. The checkpoint is where a query notes how far it is; without
# one it could not go on after a crash. Lesson 04 breaks it.

# %%
import tempfile

folder = tempfile.mkdtemp(prefix="lesson-")
out = out.options(**kafka_options(settings)).option("topic", topic).option("checkpointLocation", folder)
batches = out.start()
while len(batches.recentProgress) < measure_batches and not batches.awaitTermination(1):
    print(f"\r{len(batches.recentProgress)} of {measure_batches} batches", end="")
batches.stop()
print(f"\r{len(batches.recentProgress)} of {measure_batches} batches")

# %% [markdown]
# **Predict:** by what factor is real time faster: about 2, about 10, or about 100?

# %%
my_guess = None  # for instance 2
first = batches.recentProgress[:4]
warm = pd.Timestamp(first[-1]["timestamp"]).timestamp() if first else float("inf")  # when the fourth batch began
written = [one for one in newest(topic, 400) if b"last_event_at" in one.value and one.timestamp / 1000 > warm]
assert written, "no batch had events: is the simulator running? rtlib status; then run again from the query on"
micro_batch = pd.Series([seconds(one) for one in written])
print(f"micro-batch: median {1000 * micro_batch.median():.0f} ms over {len(micro_batch)} records")
compare(my_guess, round(micro_batch.median() / real_time.median()))

# %% [markdown]
# A picture of both. Time goes to the right in powers of ten, and each curve says which share of the KPIs had come by
# then. Where does the micro-batch lose its time? Planning, starting tasks, writing its checkpoint: once per batch, and
# an event waits for all of it, and on average for half of the batch before. In exchange it does more work per second.
# For a report of the hour nobody needs the milliseconds, and the batch is the better choice; the archive of this
# pipeline works so. For a screen that a person looks at, or an alert, real time is worth its price.

# %%
figure, axis = plt.subplots(figsize=(8, 3.4))
for name, values, colour in (("real time", real_time, "#0072B2"), ("micro-batch", micro_batch, "#D55E00")):
    axis.ecdf(1000 * values[values > 0], label=name, color=colour, linewidth=2.5)
axis.set(title="How soon a KPI counts an event", xscale="log",
         xlabel="milliseconds from event to KPI, in powers of ten", ylabel="share of KPI records")
axis.grid(alpha=0.3, which="both")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## What did it know at 12:03:10?
#
# A query in the middle of its work is hard to look into. So the pipeline's application publishes the progress of every
# batch to a topic: offsets, watermark, rows of state, dropped rows. That is enough to travel back. `rtlib travel` does
# it in a terminal; here it is a table. **Predict:** by how many seconds is the watermark behind the clock?

# %%
from rtlib.pipeline.telemetry import batch_history

history = batch_history.history(settings, query="kpis")
columns = ["at", "batch_id", "input_rows", "state_rows", "dropped_late", "watermark"]
past = pd.DataFrame([{name: getattr(one, name) for name in columns} for one in history], columns=columns)
at, watermark = (pd.to_datetime(past[name], utc=True) for name in ("at", "watermark"))
past["behind"] = (at - watermark).dt.total_seconds()
past.tail(8)

# %% [markdown]
# `behind` is the delay the query promises, and the time since the newest event of the batch before, because Spark moves
# the watermark between batches. (If the table is empty, no batch was over yet: run the cell again in half a minute.)
# The rows of state are the open windows, and the events of which a duplicate could still come; they stop growing once
# the watermark begins to clear them away. Step through it: move the slider.

# %%
from ipywidgets import HTML, IntSlider, VBox

back = IntSlider(value=0, min=0, max=max(len(past) - 1, 0), description="batches back")
shown = HTML()

def knew(_):
    shown.value = past[::-1][back.value :][:1].T.to_html(header=False)

# %% [markdown]
# Here it is. At the left end is the newest batch, further right the older ones.

# %%
back.observe(knew, names="value")
knew(None)
VBox([back, shown])

# %% [markdown]
# Last, your Spark is stopped and your topics go. The pipeline's Spark has not noticed any of this.

# %%
query.stop()
spark.stop()
producer.close()
admin.delete_topics(topics)
print("gone:", *topics)

# %% [markdown]
# You have learned
#
# - how a stream is counted in windows of event time
# - what a watermark is, and which late event it drops
# - what a micro-batch costs against real time, measured by you
# - how to ask a query what it knew at a moment that is over
#
# Next: how those KPIs come into the warehouse within half a second, and stay right when they come twice.
