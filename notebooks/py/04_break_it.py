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
# # 04 Break it: faults, and the ledger that proves what happened
#
# You will learn
#
# - what "exactly once" means, place by place, and what it does not
# - how a transaction in Kafka hides what was not finished
# - how to prove that nothing was lost or doubled, and how such a proof can fail
# - what the pipeline does when a part of it dies
#
# The stack must be running (`rtlib up`). You will hurt it, and it will come back; that takes a minute or two for each
# fault. The lesson takes half an hour or so.

# %% [markdown]
# What you may change: which faults you do, and their seed. The same seed does the same fault with the same details.

# %% tags=["parameters"]
first_fault = "kill-warehouse"
second_fault = "duplicate-storm"
seed = 4

# %% [markdown]
# The settings, and the function that compares your guess with the truth.

# %%
from rtlib.config import load_settings

settings = load_settings()
servers = settings.bootstrap_servers

def compare(guess, truth):
    verdict = "no guess yet" if guess is None else "as you said" if guess == truth else f"you said {guess!r}"
    print(f"{truth!r} ({verdict})")

# %% [markdown]
# ## All or nothing in Kafka
#
# A producer writes several records that belong together, and dies in the middle. Half of them are in the log. A
# *transaction* makes them count together: they are written at once, and marked as valid or as aborted at the end. A
# reader with `isolation_level="read_committed"` sees the valid ones only.

# %%
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

topic = f"rtlib.lesson.transactions.{uuid4().hex[:8]}"
KafkaAdminClient(bootstrap_servers=servers).create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
producer = KafkaProducer(bootstrap_servers=servers, transactional_id=topic, acks="all")
producer.init_transactions()

# %% [markdown]
# Three records are committed, two are aborted. **Predict:** how many records does a reader get who reads everything,
# and how many one who reads committed records only?

# %%
def write(*values, commit):
    producer.begin_transaction()
    for value in values:
        producer.send(topic, value)
    producer.flush()  # now they are in the log, whatever becomes of them
    producer.commit_transaction() if commit else producer.abort_transaction()


write(b"order 1", b"order 2", b"order 3", commit=True)
write(b"order 4", b"half of order 5", commit=False)

# %% [markdown]
# Both readers read the same log. Only their isolation differs.

# %%
def read(isolation):
    reader = KafkaConsumer(bootstrap_servers=servers, isolation_level=isolation, consumer_timeout_ms=3000)
    reader.assign([TopicPartition(topic, 0)])
    reader.seek_to_beginning()
    return [record.value.decode() for record in reader]


my_guess = None  # for instance (3, 3)
compare(my_guess, (len(read("read_uncommitted")), len(read("read_committed"))))
assert read("read_committed") == ["order 1", "order 2", "order 3"], "no aborted record may be read"

# %% [markdown]
# Five and three. The aborted records stay in the log; the reader skips them. That is what Kafka calls *exactly once*,
# and it ends where Kafka ends. A warehouse knows nothing of these transactions, so there it takes something else:
#
# | step | what it promises | what makes it right |
# |---|---|---|
# | producer to Kafka | each record stored once | the producer numbers its records, Kafka drops a repeated number |
# | Kafka to RAW | each batch applied once | its row in `RAW.BATCHES` is written in the batch's own transaction |
# | Kafka to the KPI topic | each KPI sent at least once | a KPI is a whole number, not an increment: the newest wins |
# | KPI topic to SPEED | each KPI merged at least once | MERGE by key, offsets committed afterwards |
#
# In real-time mode Spark notes its progress every some seconds. After a crash it reads the events since then once more
# and sends their KPIs again. The state it counts with is the one of that note, so the counts do not grow twice.
#
# ## The ledger
#
# Promises are cheap. The simulator numbers its events, from 0 without a gap for each producer, and keeps its own
# account. So each place behind it can be asked for exactly those numbers. `rtlib ledger` does it in a terminal.
# **Predict:** the stack is running, so some events are on their way. How many are *lost*?

# %%
from rtlib import ledger

my_guess = None  # for instance 0
before = ledger.take(settings)
compare(my_guess, before.lost)
print(ledger.render(before))

# %% [markdown]
# Each line says what is counted, and where. `in flight` is what Kafka has and the warehouse does not have yet. A proof
# that cannot fail proves nothing. So we ask what the ledger would say if the warehouse lacked one event: we take the
# evidence it judges, and hide sequence 3 of one producer. **Predict:** will it name the event?

# %%
from rtlib.pipeline import evidence

seen = evidence.gather(settings)
held = evidence.held_sequences(settings, list(seen.held))
victim = max(held, key=lambda name: len(held[name]))
held[victim].discard(3)
forged = ledger.judge(seen, held)
print(f"lost: {forged.lost}", *forged.lost_events, sep="\n")
assert forged.lost == before.lost + 1, "the ledger must find exactly the event that we hid"

# %% [markdown]
# It does, and says where it was last seen.
#
# ## The menu
#
# These are the faults. Each says beforehand what should happen. Read the one you are about to do, and say whether you
# believe it. In the app the same faults are behind the button *Break it…* of a part.

# %%
import pandas as pd

pd.set_option("display.max_colwidth", 120)
from rtlib import faults

menu = pd.DataFrame([(one.name, one.component, one.expect) for one in faults.MENU.values()])
menu.set_axis(["fault", "hurts", "what should happen"], axis=1).set_index("fault")

# %% [markdown]
# **Predict:** for how long is the number on the dashboard old after the first fault: one second, ten, or a minute? It
# does the harm, waits until every part works again and has caught up, and tells what it saw. Have a look at the app
# meanwhile.

# %%
my_guess = None
print(faults.MENU[first_fault].expect, end="\n\n")
first = faults.run(settings, first_fault, seed=seed, tell=lambda line: None)
print(first.happened, f"You said: {my_guess}.")
assert first.recovered, "it has not come back; rtlib status says which part hangs"

# %% [markdown]
# Now the second one, which hurts nobody's process: it hurts the data. **Predict:** what does it do to the line
# `duplicates removed` of the ledger, and what to `doubled`?

# %%
my_guess = None  # for instance 0 doubled
print(faults.MENU[second_fault].expect, end="\n\n")
second = faults.run(settings, second_fault, seed=seed, tell=lambda line: None)
print(second.happened)

# %% [markdown]
# The ledger has the last word. We put the two side by side.

# %%
after = ledger.take(settings)
names = ["records_sent", "archived", "duplicates_removed", "rejected", "late_dropped", "in_flight", "lost", "doubled"]
columns = {"before": [getattr(before, name) for name in names], "after": [getattr(after, name) for name in names]}
compare(my_guess, after.doubled)
assert (after.lost, after.doubled) == (0, 0), "an event was lost or doubled: see after.lost_events"
pd.DataFrame(columns, index=names)

# %% [markdown]
# Nothing lost, nothing doubled. How long did it take to come back? Which fault takes longest on your machine? Do more
# of them; the cell can be run as often as you like with another name. The bars are seconds from the end of the harm
# until everything had caught up.

# %%
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(7, 1.8))
axis.barh([second.name, first.name], [second.recovery_seconds, first.recovery_seconds], color="#0072B2", height=0.5)
axis.set(xlabel="seconds until everything had caught up")
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# **Try it:** `faults.run(settings, "kill-spark", seed=1, tell=print)` tells its story as it goes. With
# `"out-of-order"` the ledger's line `late_dropped` grows: those events are in RAW, the live number left them out, and
# lesson 05 shows how the two are reconciled. In a terminal, `rtlib soak` does five faults at random moments under load.
#
# Your topic goes; the pipeline is as well as before.

# %%
producer.close()
KafkaAdminClient(bootstrap_servers=servers).delete_topics([topic])
print("gone:", topic)

# %% [markdown]
# You have learned
#
# - what "exactly once" means, place by place, and what it does not
# - how a transaction in Kafka hides what was not finished
# - how to prove that nothing was lost or doubled, and how such a proof can fail
# - what the pipeline does when a part of it dies
#
# Next: the batch layer, which counts everything once more, exactly.
