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
# # 02 Spark: windows, watermarks and late events
#
# You will learn
#
# - how a stream is counted in windows of event time
# - what a watermark is, and which late events it drops
# - what a micro-batch costs compared with real time, measured by you
# - how to look up what a query knew at a moment in the past
#
# The stack must be running (`rtlib up`). You start a small Spark of your own beside the pipeline's; it needs half a
# gigabyte while the lesson runs. The first half uses its own example, events at a site called oakland; the second half
# measures the domain of your stack. The lesson takes about half an hour.

# %% [markdown]
# The parameters of this lesson: how late an event may be (you will change that later), and how many batches of your own
# query are measured.

# %% tags=["parameters"]
delay = "30 seconds"
measure_batches = 12

# %% [markdown]
# Papermill can run the lesson with other values: `papermill 02_spark.ipynb done.ipynb -p delay "45 seconds"`.
# `parameters` validates them. `predict` prints a result next to your guess.

# %%
from rtlib.lessons import parameters, predict

delay, measure_batches = parameters("02_spark", delay=delay, measure_batches=measure_batches)

# %% [markdown]
# First a health check of Kafka.

# %%
from rtlib.config import load_settings
from rtlib.pipeline.monitoring import health

settings = load_settings()
print(f"Kafka at {settings.bootstrap_servers} {health.broker(settings)}")

# %% [markdown]
# ## A Spark of your own
#
# Every Spark program starts with `SparkSession.builder` and its options. Two shuffle partitions are enough here. The
# default is 200, and a stream pays for each partition in each batch: the most common reason why a first stream is
# slow. The session time zone is UTC, so that Spark displays the times that you write. `spark_options` adds what is
# specific to this machine: the path of the Kafka connector, the Java installation, and settings that keep other users
# of the machine out.

# %%
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from rtlib.pipeline.notebook_spark import spark_options

options = {"spark.driver.memory": "512m", "spark.sql.shuffle.partitions": "2", "spark.sql.session.timeZone": "UTC"}
options |= spark_options(settings)

# %% [markdown]
# `local[2]` runs two threads in this process. With another master, the same program runs on a hundred machines. The
# session takes a few seconds to start.

# %%
spark = SparkSession.builder.appName("lesson").master("local[2]").config(map=options).getOrCreate()
spark.sparkContext.setLogLevel("ERROR")

# %% [markdown]
# To control the events down to the second, the lesson writes to its own topic. An event has a site and the time *at
# which it happened*, its *event time*. The time of arrival is something else, and the difference is the subject of this
# lesson. A phone in a tunnel sends its event minutes later. A count by arrival time would put the event into the wrong
# minute, and a second run over the same data would put it into yet another one.
#
# All times are UTC, here, in Kafka and in the windows of the pipeline. The clocks of a place skip an hour in spring and
# show one twice in autumn: a watermark by such a clock would jump, and then go back over windows that are closed. Days
# and hours of a place are made afterwards, in the tables (lesson 05).

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
# A stream has no end, so "how many events are there?" has no answer. "How many in the minute that starts at 12:00?" has
# an answer. First create a topic with one partition. To repeat the experiment with the windows, run all cells from here
# on.

# %%
from kafka.admin import KafkaAdminClient, NewTopic

admin, topic = KafkaAdminClient(**connection), f"rtlib.lesson.spark.{uuid4().hex[:8]}"
admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
topics.append(topic)

# %% [markdown]
# The query reads the topic, parses the JSON, groups by site and one-minute window, and counts. You would write the same
# code for a table. Kafka delivers bytes, so the value is cast to a string first. A stream cannot be read in advance to
# infer a schema, so the query supplies one. The watermark is explained below. `kafka_options` returns the connection
# under the option names of Spark's Kafka client.

# %%
from rtlib.broker.client import spark_options as kafka_options

source = spark.readStream.format("kafka").options(**kafka_options(settings))
records = source.option("subscribe", topic).option("startingOffsets", "earliest").load()
fields = F.from_json(F.col("value").cast("string"), "site string, at timestamp")
events = records.select(fields.alias("event")).select("event.*")
counts = events.withWatermark("at", delay).groupBy(F.window("at", "1 minute"), "site").count()

# %% [markdown]
# Nothing has run yet: a query runs after `start`. This one writes to an in-memory table in *update* mode: whenever the
# count of a window changes, the query emits a row with the new count. `processAllAvailable` waits until the query has
# read everything in the topic. It exists for tests and lessons; a production query simply keeps running.

# %%
for old_query in spark.streams.active:
    old_query.stop()
query = counts.writeStream.format("memory").queryName("counts").outputMode("update").start()

def current_counts():
    query.processAllAvailable()
    rows = spark.table("counts").select(F.date_format("window.start", "HH:mm").alias("window"), "site", "count")
    return rows.groupBy("window", "site").agg(F.max("count").alias("count")).orderBy("window").toPandas()


# %% [markdown]
# **Predict:** oakland has three events, at 12:00:05, 12:00:40 and 12:01:10. How many windows are there?

# %%
my_guess = None  # for example 3
send("12:00:05", "12:00:40", "12:01:10")
table = current_counts()
predict("02.a", my_guess, len(table))
table

# %% [markdown]
# Two. Now an event of 12:00:50 arrives after the event of 12:01:10. It is late: in event time, its minute is over.
#
# **Predict:** what is the count of the window 12:00 afterwards?

# %%
my_guess = None  # for example 2
send("12:00:50")
table = current_counts()
predict("02.b", my_guess, int(table.set_index("window")["count"]["12:00"]))

# %% [markdown]
# Three: the window was still open. Spark cannot keep every window open, because each one is state, that is, rows in
# memory and on disk. So the query makes a promise: `withWatermark("at", delay)` states that an event is at most 30
# seconds older than the newest event. The *watermark* is the newest event time so far minus 30 seconds. Spark closes
# and deletes every window that ends at or before the watermark.
#
# **Predict:** where is the watermark now?

# %%
my_guess = None  # for example "12:01:00"
progress = query.lastProgress
predict("02.c", my_guess, progress["eventTime"]["watermark"][11:19])


# %% [markdown]
# It is 12:01:10 minus 30 seconds. The window 12:00 ends at 12:01:00, and the watermark has not reached that time yet.
# Each batch reports how many rows it dropped because they were behind the watermark. `dropped` adds these numbers up.

# %%
def dropped():
    operators = [operator for batch in query.recentProgress for operator in batch["stateOperators"]]
    return sum(operator["numRowsDroppedByWatermark"] for operator in operators)


# %% [markdown]
# Next an event of 12:02:00 arrives and moves the watermark. Then two more events arrive, one of 12:00:55 and one of
# 12:01:20.
#
# **Predict:** how many of these two events are dropped, and which?

# %%
my_guess = None  # for example 0, 1 or 2
send("12:02:00")
current_counts()
send("12:00:55", "12:01:20")
table = current_counts()
predict("02.d", my_guess, dropped())

# %% [markdown]
# One. The event of 12:02:00 moved the watermark to 12:01:30. That closed the window 12:00, so the event of 12:00:55 was
# dropped. The event of 12:01:20 is behind the watermark too, but its *window* ends at 12:02:00 and is still open. The
# end of the window decides, not the time of the event. Check it:

# %%
import pandas as pd

watermark = pd.Timestamp("12:02:00") - pd.Timedelta(delay)
closed = pd.Timestamp("12:01:00") <= watermark
assert dropped() == closed, "a closed window must drop its event; run again from the cell that creates a topic"
table

# %% [markdown]
# A watermark is a trade-off. A longer delay waits for more late events and keeps more state. A shorter delay is cheaper
# and drops more events.
#
# **Try it:** what is the shortest delay, in whole seconds, that would have counted every event? Change `delay` in the
# parameters cell, run that cell, and then run again from the cell that creates a topic.
#
# <details><summary>A hint</summary>
#
# The window 12:00 ends at 12:01:00, and the newest event is of 12:02:00. A window is closed when its end is at *or*
# before the watermark.
#
# </details>
# <details><summary>The answer</summary>
#
# 61 seconds. With 60 seconds the watermark is exactly 12:01:00, the end of the window, so the window is closed.
#
# </details>

# %% [markdown]
# ## Your turn
#
# Six exercises on what you have seen. In each, replace the blanks (`...`), and run the cell: `check` says whether your
# answer is right and, if it is not, which belief it shows. `hint` gives up to three hints, `solution` a solution after
# you have tried. A cell that you leave as it is counts as not answered yet, and the lesson goes on. Your progress is
# kept in the state folder; `rtlib course status` prints it.

# %%
from rtlib.lessons import check, given, hint, solution

# %% [markdown] exercise="02.1"
# ### Exercise 02.1: a window of event time
#
# Complete the line: count the events of each site in windows of one minute, by the time at which they *happened*. Each
# event belongs to exactly one window. `check` runs your function on a stream that it feeds step by step, on the Spark
# of this notebook, and looks at the result after each step.
#
# *About 3 minutes (complete a line). Help: `hint("02.1")`, and after a try `solution("02.1")`.*

# %% exercise="02.1"
### BEGIN SOLUTION
def per_minute(events):  # columns: event_id, site, at
    window = F.window("at", "1 minute")
    return events.groupBy(window, "site").count()
### END SOLUTION
check("02.1", per_minute)

# %% [markdown] exercise="02.2"
# ### Exercise 02.2: which events are dropped?
#
# `given` returns numbers that are drawn for you: a delay in seconds, and the event times of one site in the order in
# which they arrive, each in a batch of its own. They are counted in windows of one minute, with a watermark of that
# delay. Which of these events are dropped? Answer with a set of their times; work it out by hand or by a loop.
#
# *About 6 minutes (write your own). Help: `hint("02.2")`, and after a try `solution("02.2")`.*

# %% exercise="02.2"
### BEGIN SOLUTION
seconds, times = given("02.2")
too_late, newest = set(), pd.Timestamp("00:00:00")
for text in times:
    time = pd.Timestamp(text)
    if time.floor("min") + pd.Timedelta("1min") <= newest - pd.Timedelta(seconds=seconds):
        too_late.add(text)
    newest = max(newest, time)
### END SOLUTION
check("02.2", too_late)

# %% [markdown] exercise="02.3"
# ### Exercise 02.3: a promise about late events
#
# Now the whole function: counts by site and minute again, but an event that is later than your `allowed` may be
# dropped, so that Spark can delete old windows. `check` feeds late events, and looks at the watermark and at what was
# dropped.
#
# *About 6 minutes (write your own). Help: `hint("02.3")`, and after a try `solution("02.3")`.*

# %% exercise="02.3"
### BEGIN SOLUTION
allowed = given("02.3")

def until_late(events):
    return events.withWatermark("at", allowed).groupBy(F.window("at", "1 minute"), "site").count()
### END SOLUTION
check("02.3", until_late)


# %% [markdown] exercise="02.4"
# ### Exercise 02.4: each event once
#
# At least once delivery: an event may arrive again, with the same `event_id` and the same time, up to 30 seconds late.
# Count each event once, by site and minute. The query must be able to run for years, so it may not remember every
# `event_id` that it has ever seen.
#
# *About 8 minutes (write your own). Help: `hint("02.4")`, and after a try `solution("02.4")`.*

# %% exercise="02.4"
### BEGIN SOLUTION
def once(events):
    events = events.withWatermark("at", "30 seconds")
    return events.dropDuplicatesWithinWatermark(["event_id"]).groupBy(F.window("at", "1 minute"), "site").count()
### END SOLUTION
check("02.4", once)


# %% [markdown] exercise="02.5"
# ### Exercise 02.5: counts as upserts in a topic
#
# Lesson 01 and this one together: the counts go to a *compacted* topic, in which Kafka keeps the newest record of each
# key. Return a writer of records with a text `key` and a JSON `value`, such that whenever a count changes, exactly its
# new value is written, and the newest record of each key is the count of a site and minute. `check` chooses the sink.
#
# *About 10 minutes (join two lessons). Help: `hint("02.5")`, and after a try `solution("02.5")`.*

# %% exercise="02.5"
### BEGIN SOLUTION
def upserts(events):
    counts = events.withWatermark("at", "30 seconds").groupBy(F.window("at", "1 minute"), "site").count()
    key = F.concat_ws("|", F.col("window.start"), "site")
    value = F.to_json(F.struct("window", "site", "count"))
    records = counts.select(key.alias("key"), value.alias("value"))
    return records.writeStream.outputMode("update")
### END SOLUTION
check("02.5", upserts)

# %% [markdown] exercise="02.6"
# ### Exercise 02.6: a streaming query in order
#
# Put the steps of a streaming query in order. One of them does not belong to it.
#
# - **A** count by site and window
# - **B** read the topic with `readStream`
# - **C** drop duplicates within the watermark
# - **D** parse the JSON in `value`
# - **E** `writeStream` in update mode, with a checkpoint, and `start`
# - **F** `withWatermark` on the event time
# - **G** `collect` the events into a list
#
# Answer with the letters.
#
# *About 4 minutes (put in order). Help: `hint("02.6")`, and after a try `solution("02.6")`.*

# %% exercise="02.6"
### BEGIN SOLUTION
steps = "BDFCAE"
### END SOLUTION
check("02.6", steps)

# %% [markdown]
# What happens to a dropped event in the pipeline? A second query, the *archive*, has no windows and no watermark: it
# keeps every event. So the fast number may lack a late event, but the exact number never does.
#
# ## Micro-batch against real time
#
# Your query collects new records and processes them as a small batch, again and again. The pipeline's own query runs in
# *real-time mode*: its tasks keep running, and each event passes through them as it arrives. You will measure the
# difference as the latency from the time of an event to the time when Kafka stores the KPI that includes it. Start with
# the pipeline's query, and the newest records of its topic.

# %%
from itertools import islice

import matplotlib.pyplot as plt
from kafka import KafkaConsumer, TopicPartition

# %% [markdown]
# `newest` goes back some records from the end of each partition and reads from there, as in lesson 01. The consumer has
# no group, so it commits no offsets and does not disturb the pipeline.

# %%
def newest(topic, count):
    consumer = KafkaConsumer(**connection, consumer_timeout_ms=3000)
    consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)])
    ends = consumer.end_offsets(consumer.assignment())
    for tp, end in ends.items():
        consumer.seek(tp, max(0, end - count))
    return list(islice(consumer, sum(min(end, count) for end in ends.values())))


# %% [markdown]
# Each KPI record contains the time of its newest event, and Kafka adds the time at which the record was written. Late
# events would distort a mean, because they were on their way long before Kafka received them; so we take the median.
# Both times come from the clock of this machine, so there is no clock skew. Across several machines you would need
# synchronized clocks: their error could be larger than the milliseconds that we want to measure.

# %%
def latency_seconds(record):
    newest_event = pd.Timestamp(json.loads(record.value)["last_event_at"])
    return record.timestamp / 1000 - newest_event.timestamp()


real_time = pd.Series([latency_seconds(record) for record in newest(settings.topic("kpis"), 100)])
assert len(real_time), "the pipeline has sent no KPI yet: wait half a minute, then run this cell again"
print(f"real-time mode: median {1000 * real_time.median():.0f} ms over {len(real_time)} KPI records")

# %% [markdown]
# Now measure the same with micro-batches. Your query reads the pipeline's events, without the five-byte prefix that you
# know from lesson 01. It counts them by site and minute and writes to your own topic. Each batch starts as soon as the
# previous one ends. The query does even less than the pipeline's: it validates no schema and drops no duplicates. If it
# is slower, that is not the reason.
#
# Two effects bias the comparison, in opposite directions. We measure from the *newest* event of each update. That
# favours the micro-batch, because the other events of the batch have waited longer. And the first batches of a new
# Spark session with two threads are slow, which counts against the micro-batch. The second effect can be avoided: the
# measurement skips the first three batches.

# %%
fields = F.from_json(F.expr("cast(substring(value, 6) as string)"), "site string, occurred_at timestamp")
live = source.option("subscribe", settings.topic("events")).option("startingOffsets", "latest").load()
live = live.select(fields.alias("event")).select("event.*").withWatermark("occurred_at", "30 seconds")
minutes = live.groupBy(F.window("occurred_at", "1 minute"), "site")
kpis = minutes.agg(F.count("*").alias("events"), F.max("occurred_at").alias("last_event_at"))
value = F.to_json(F.struct("site", "events", "last_event_at"), {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSX"})
output = kpis.select(value.alias("value")).writeStream.format("kafka").outputMode("update")

# %% [markdown]
# The next cell runs the query for some batches and prints the progress. The checkpoint is the folder where a query
# records how far it has read. Without a checkpoint, a query could not resume after a crash. Lesson 04 puts that to the
# test.

# %%
import tempfile

folder = tempfile.mkdtemp(prefix="lesson-")
output = output.options(**kafka_options(settings)).option("topic", topic).option("checkpointLocation", folder)
batches = output.start()
while len(batches.recentProgress) < measure_batches and not batches.awaitTermination(1):
    print(f"\r{len(batches.recentProgress)} of {measure_batches} batches", end="")
batches.stop()
print(f"\r{len(batches.recentProgress)} of {measure_batches} batches")

# %% [markdown]
# **Predict:** by what factor is real-time mode faster: about 2, about 10, or about 100?

# %%
my_guess = None  # for example 2
first = batches.recentProgress[:4]
warm_from = pd.Timestamp(first[-1]["timestamp"]).timestamp() if first else float("inf")  # start of the fourth batch
updates = [record for record in newest(topic, 400) if b"last_event_at" in record.value]
micro_batch = pd.Series([latency_seconds(update) for update in updates if update.timestamp / 1000 > warm_from])
assert len(micro_batch), "no batch had events: does the simulator run? rtlib status; then run again from the query on"
print(f"micro-batch: median {1000 * micro_batch.median():.0f} ms over {len(micro_batch)} records")
predict("02.e", my_guess, round(micro_batch.median() / real_time.median()))

# %% [markdown]
# The chart shows both distributions on a logarithmic time axis. Each curve gives the share of the KPIs that were
# written within that time. Why is the micro-batch slower? Each batch must be planned, its tasks started and its
# checkpoint written. Every event waits for all of that, and on average for half of the previous batch too. In return a
# micro-batch processes more events per second. For an hourly report milliseconds do not matter, and batches are the
# better choice; the archive of this pipeline uses them. For a live dashboard or an alert, real-time mode is worth its
# price.

# %%
figure, axis = plt.subplots(figsize=(8, 3.4))
for name, values, colour in (("real time", real_time, "#0072B2"), ("micro-batch", micro_batch, "#D55E00")):
    axis.ecdf(1000 * values[values > 0], label=name, color=colour, linewidth=2.5)
axis.set(title="Latency from event to KPI", xscale="log",
         xlabel="milliseconds from event to KPI (log scale)", ylabel="share of KPI records")
axis.grid(alpha=0.3, which="both")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## What did the query know at 12:03:10?
#
# It is hard to look inside a running query. So the pipeline publishes the progress of every batch to a topic: offsets,
# watermark, rows of state, dropped rows. From these records you can reconstruct any moment in the past. `rtlib travel`
# does it in a terminal; here the progress is a table.
#
# **Predict:** by how many seconds is the watermark behind the clock?

# %%
from rtlib.pipeline.telemetry import batch_history

history = batch_history.history(settings, query="kpis")
columns = ["at", "batch_id", "input_rows", "state_rows", "dropped_late", "watermark"]
past = pd.DataFrame([{name: getattr(batch, name) for name in columns} for batch in history], columns=columns)
at, watermark = (pd.to_datetime(past[name], utc=True) for name in ("at", "watermark"))
past["behind"] = (at - watermark).dt.total_seconds()
past.tail(8)

# %% [markdown]
# `behind` is the delay that the query promises plus the age of the newest event in the previous batch, because Spark
# moves the watermark between batches. (If the table is empty, no batch is complete yet: run the cell again in half a
# minute.) The rows of state are the open windows, and the events for which a duplicate could still arrive. Their number
# stops growing once the watermark starts to clear them. Move the slider to step through the batches.

# %%
from ipywidgets import HTML, IntSlider, VBox

back = IntSlider(value=0, min=0, max=max(len(past) - 1, 0), description="batches back")
shown = HTML()

def show_batch(_):
    shown.value = past[::-1][back.value :][:1].T.to_html(header=False)


# %% [markdown]
# The left end of the slider is the newest batch; older batches are to the right.

# %%
back.observe(show_batch, names="value")
show_batch(None)
VBox([back, shown])

# %% [markdown]
# Finally stop your Spark and delete your topics. The pipeline's Spark was not affected by any of this.

# %%
query.stop()
spark.stop()
producer.close()
admin.delete_topics(topics)
print("deleted:", *topics)

# %% [markdown]
# You have learned
#
# - how a stream is counted in windows of event time
# - what a watermark is, and which late events it drops
# - what a micro-batch costs compared with real time, measured by you
# - how to look up what a query knew at a moment in the past
#
# Next: `03_speed_layer`, where those KPIs reach the warehouse within half a second, and stay correct if they arrive
# twice.
