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
# # 04 Break it: faults, and the ledger that proves what happened
#
# You will learn
#
# - what "exactly once" means at each step, and what it does not mean
# - how a transaction in Kafka hides unfinished work
# - how to prove that no event was lost or doubled, and how such a proof can fail
# - what the pipeline does when a part of it dies
#
# The stack must be running (`rtlib up`). You will damage it, and it will recover; each fault takes a minute or two. The
# lesson takes about half an hour.

# %% [markdown]
# The parameters of this lesson: two faults, and the seed of their random details. The same seed gives the same details.

# %% tags=["parameters"]
first_fault = "kill-warehouse"
second_fault = "duplicate-storm"
seed = 4

# %% [markdown]
# Papermill can run the lesson with other values, for example `papermill 04_break_it.ipynb done.ipynb -p first_fault
# kill-broker`. `parameters` validates them. `predict` prints a result next to your guess.

# %%
from rtlib.lessons import parameters, predict

first_fault, second_fault, seed = parameters(
    "04_break_it", first_fault=first_fault, second_fault=second_fault, seed=seed)

# %% [markdown]
# First a health check of Kafka.

# %%
from rtlib.config import load_settings
from rtlib.pipeline.monitoring import health

settings = load_settings()
print(f"Kafka at {settings.bootstrap_servers} {health.broker(settings)}")

# %% [markdown]
# ## All or nothing in Kafka
#
# A producer writes several records that belong together, and dies halfway. Half of the records are in the log. A
# *transaction* solves this: the producer writes each record immediately, and at the end a marker in the log commits or
# aborts all of them. A consumer with `isolation_level="read_committed"` receives committed records only.

# %%
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from rtlib.broker.client import client_options

connection = client_options(settings)
admin, topics = KafkaAdminClient(**connection), []


# %% [markdown]
# A transactional producer has an id, by which Kafka recognizes it after a restart. In this lesson each producer also
# gets a new topic.

# %%
def new_producer():
    topics.append(f"rtlib.lesson.transactions.{uuid4().hex[:8]}")
    admin.create_topics([NewTopic(topics[-1], num_partitions=1, replication_factor=1)])
    transactional = KafkaProducer(**connection, transactional_id=topics[-1], acks="all")
    transactional.init_transactions()
    return transactional


# %% [markdown]
# `write` runs one transaction and commits or aborts it.

# %%
def write(*values, commit):
    producer.begin_transaction()
    for value in values:
        producer.send(topics[-1], value)
    producer.flush()  # from here on the records are in the log, committed or not
    producer.commit_transaction() if commit else producer.abort_transaction()


# %% [markdown]
# `read` reads the whole log with the given isolation level.

# %%
def read(isolation):
    consumer = KafkaConsumer(**connection, isolation_level=isolation, consumer_timeout_ms=3000)
    consumer.assign([TopicPartition(topics[-1], 0)])
    consumer.seek_to_beginning()
    return [record.value.decode() for record in consumer]


# %% [markdown]
# The cell commits three records and aborts two.
#
# **Predict:** how many records does a consumer with `read_uncommitted` receive, and how many does a consumer with
# `read_committed` receive?

# %%
my_guess = None  # for example (3, 3)
producer = new_producer()
write(b"order 1", b"order 2", b"order 3", commit=True)
write(b"order 4", b"half of order 5", commit=False)
everything, committed = read("read_uncommitted"), read("read_committed")
predict("04.a", my_guess, (len(everything), len(committed)))
assert committed == ["order 1", "order 2", "order 3"], "no aborted record may be read"

# %% [markdown]
# Five and three. The aborted records stay in the log; the consumer skips them. Kafka calls this *exactly once*, and the
# guarantee ends where Kafka ends. A warehouse takes no part in Kafka's transactions, so each step of the pipeline needs
# its own mechanism:
#
# | step | guarantee | mechanism |
# |---|---|---|
# | producer to Kafka | each record stored once per session | the producer numbers its records, Kafka drops repeats |
# | Kafka to RAW | each batch applied once | the row in `RAW.BATCHES` is part of the batch's transaction |
# | Kafka to the KPI topic | each KPI sent at least once | a KPI is a total, not an increment: the newest wins |
# | KPI topic to SPEED | each KPI merged at least once | MERGE by key, offsets committed afterwards |
#
# *Per session* matters: if a program restarts and sends an order again, Kafka sees a new record. That is why each event
# also has an `event_id`.
#
# In real-time mode Spark writes a checkpoint every few seconds. After a crash it reads the events since the last
# checkpoint again and sends their KPIs again. It also restores the counts from that checkpoint, so no event is counted
# twice.
#
# ## The ledger
#
# A guarantee is only a claim until you test it. The simulator numbers the events of each producer from 0 without gaps,
# and keeps its own record of what it sent. So the pipeline can look for exactly these numbers at each later step. That
# is the *ledger*; `rtlib ledger` prints it in a terminal.
#
# **Predict:** the stack is running, so some events are still on their way. How many are *lost*?

# %%
from rtlib import ledger

my_guess = None  # for example 0
before = ledger.take(settings)
predict("04.b", my_guess, before.lost)
print(ledger.render(before))

# %% [markdown]
# Each line gives a count and where it was taken. `in flight` counts the events that Kafka has and the warehouse does
# not have yet. But a proof that cannot fail proves nothing. So we test the ledger: what does it report if the warehouse
# lacks one event? Nothing is deleted for this test; the event is only hidden from the ledger.
#
# **Predict:** how many events are lost then, and does the ledger name them?

# %%
from rtlib.lessons import ledger_without_one_event

my_guess = None  # for example 0
incomplete = ledger_without_one_event(settings)
predict("04.c", my_guess, incomplete.lost)
print(*incomplete.lost_events, sep="\n")
assert incomplete.lost == before.lost + 1, "the ledger must find exactly the event that was hidden"

# %% [markdown]
# One. The ledger names the event, and says where it was last seen.
#
# ## The catalog of faults
#
# The table lists all faults. Each comes with a prediction of its effect. Read the predictions for the two faults of
# this lesson, and decide whether you agree. In the app, the button *Break it…* of a part starts the same faults.

# %%
import pandas as pd

from rtlib import faults

pd.set_option("display.max_colwidth", 120)
catalog = pd.DataFrame([(fault.name, fault.component, fault.expect) for fault in faults.MENU.values()])
catalog.set_axis(["fault", "affects", "expected effect"], axis=1).set_index("fault")

# %% [markdown]
# The next cell runs the first fault, waits until every part works again and has caught up, and prints what happened.
# Watch the app meanwhile.
#
# **Predict:** how many seconds pass from the end of the fault until the pipeline has caught up: one, ten, or sixty?

# %%
my_guess = None  # for example 10
print(faults.MENU[first_fault].expect, end="\n\n")
first = faults.run(settings, first_fault, seed=seed, notify=lambda line: None)
print(first.happened)
assert first.recovered, "the pipeline has not recovered; rtlib status says which part is not ready"
predict("04.d", my_guess, round(first.recovery_seconds))

# %% [markdown]
# The second fault kills no process: it damages the data.
#
# **Predict:** what happens to the line `duplicates removed` of the ledger, and what to `doubled`?

# %%
my_guess = None  # the value of `doubled` afterwards, for example 0
print(faults.MENU[second_fault].expect, end="\n\n")
second = faults.run(settings, second_fault, seed=seed, notify=lambda line: None)
print(second.happened)
assert second.recovered, "the pipeline has not caught up; rtlib status says which part is not ready"

# %% [markdown]
# The ledger decides. Compare it before and after the faults.

# %%
after = ledger.take(settings)
names = ["records_sent", "archived", "duplicates_removed", "rejected", "late_dropped", "in_flight", "lost", "doubled"]
columns = {"before": [getattr(before, name) for name in names], "after": [getattr(after, name) for name in names]}
predict("04.e", my_guess, after.doubled)
assert (after.lost, after.doubled) == (0, 0), "an event was lost or doubled: see after.lost_events"
pd.DataFrame(columns, index=names)

# %% [markdown]
# No event was lost, and none was doubled. How long did the recovery take? The bars show the seconds from the end of
# each fault until the pipeline had caught up. Run the two cells again with other faults: which fault takes longest on
# your machine?

# %%
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(7, 1.8))
axis.barh([second.name, first.name], [second.recovery_seconds, first.recovery_seconds], color="#0072B2", height=0.5)
axis.set(title="Recovery time", xlabel="seconds until the pipeline had caught up")
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# **Try it:** run `faults.run(settings, "out-of-order", seed=1, notify=print)`, which prints its progress, and take the
# ledger again. Which of its lines grows, and which must not? In a terminal, `rtlib soak` runs five faults at random
# moments under load.
#
# <details><summary>A hint</summary>
#
# The fault holds events back and sends them later. What does a watermark do with a late event? And what does the
# archive do, which has no watermark?
#
# </details>
# <details><summary>The answer</summary>
#
# `late, dropped` grows: these events are in RAW, but the live number does not include them. `lost` stays at 0, because
# an event in RAW is not lost. Lesson 05 shows how the two numbers are reconciled.
#
# </details>
#
# Finally delete the topics of this lesson. The pipeline works as before.

# %%
producer.close()
admin.delete_topics(topics)
print("deleted:", *topics)

# %% [markdown]
# ## Your turn
#
# Four exercises on what you have seen. Replace the blanks, and run the cell: `check` says whether your answer is right
# and, if it is not, which belief it shows. A cell that you leave as it is counts as not answered yet. The transactions
# run on a small cluster in this notebook whose broker fails when it should. The last exercise is a boss: it needs all
# that you have learned so far.

# %%
import json

from rtlib.lessons import check, given, hint, solution

# %% [markdown] exercise="04.1"
# ### Exercise 04.1: read what is certain
#
# In a topic there are records of a transaction that was committed, of another that was aborted, and of a third that is
# still open. Complete the consumer, so that it reads the committed records and no others.
#
# *About 3 minutes (complete a line). Help: `hint("04.1")`, and after a try `solution("04.1")`.*

# %% exercise="04.1"
### BEGIN SOLUTION
def read_log(KafkaConsumer, topic, connection):
    consumer = KafkaConsumer(topic, **connection, auto_offset_reset="earliest", isolation_level="read_committed",
        consumer_timeout_ms=3000)
    return [record.value for record in consumer]
### END SOLUTION
check("04.1", read_log)


# %% [markdown] exercise="04.2"
# ### Exercise 04.2: all lines of an order, or none
#
# Write the lines of an order to the topic `orders`, as JSON, such that a reader of committed records sees all of them
# or none. A send can raise a ConnectionError in between; then nothing of the order may stay, and no transaction may be
# left open. (The producer is transactional, and `init_transactions` has been called.)
#
# *About 8 minutes (write your own). Help: `hint("04.2")`, and after a try `solution("04.2")`.*

# %% exercise="04.2"
### BEGIN SOLUTION
def write_order(producer, lines):
    producer.begin_transaction()
    try:
        for line in lines:
            producer.send("orders", json.dumps(line).encode())
        producer.commit_transaction()
    except ConnectionError:
        producer.abort_transaction()
        raise
### END SOLUTION
check("04.2", write_order)


# %% [markdown] exercise="04.3"
# ### Exercise 04.3: a ledger in SQL
#
# Lesson 03 and this one together: `sent` has what the producers sent, `raw` what arrived (both producer_id and
# sequence). Return the events that are not in `raw` exactly once, with the number of their `copies`: 0 if an event is
# lost, 2 if it is doubled. Here one of each kind is hidden, so that both tables have the same number of rows.
#
# *About 8 minutes (join two lessons). Help: `hint("04.3")`, and after a try `solution("04.3")`.*

# %% exercise="04.3"
### BEGIN SOLUTION
ledger_sql = '''
select s.producer_id, s.sequence, count(r.sequence) as copies
from sent s left join raw r on r.producer_id = s.producer_id and r.sequence = s.sequence
group by 1, 2 having count(r.sequence) <> 1
'''
### END SOLUTION
check("04.3", ledger_sql)


# %% [markdown] exercise="04.4"
# ### Exercise 04.4: boss: why do the numbers differ?
#
# Four runs of the pipeline, each with another fault. For each you have the counts of the ledger: what was sent, what is
# in the topic, what was rejected by its schema, the rows in the archive and the distinct events among them, the count
# of the speed layer, and what its watermark dropped. Name the cause of each: `"lost"`, `"late"`, `"rejected"` or
# `"doubled"`.
#
# *About 12 minutes (boss exercise). Help: `hint("04.4")`, and after a try `solution("04.4")`.*

# %% exercise="04.4"
### BEGIN SOLUTION
runs = given("04.4")

def cause(run):
    if run["archived"] > run["distinct"]:
        return "doubled"
    return "rejected" if run["rejected"] else "late" if run["dropped_late"] else "lost"

causes = {name: cause(run) for name, run in runs.items()}
### END SOLUTION
check("04.4", causes)


# %% [markdown]
# You have learned
#
# - what "exactly once" means at each step, and what it does not mean
# - how a transaction in Kafka hides unfinished work
# - how to prove that no event was lost or doubled, and how such a proof can fail
# - what the pipeline does when a part of it dies
#
# Next: `05_dbt`, the batch layer, which counts everything again, exactly.
