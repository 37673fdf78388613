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
# # 01 From producer to Kafka, with the registry
#
# You will learn
#
# - how a key chooses a partition, and what order Kafka promises
# - how consumers read at their own pace, and read again
# - how a schema registry keeps a contract, and what happens to what breaks it
#
# The stack must be running (`rtlib up`). This lesson writes to a topic of its own, so that the counts of the pipeline
# stay true.

# %% [markdown]
# What you may change: how many orders are written.

# %% tags=["parameters"]
orders = 12

# %%
from rtlib.config import load_settings

settings = load_settings()
servers = settings.bootstrap_servers
servers

# %% [markdown]
# ## A topic is a log in partitions
#
# We use `kafka-python` as you would anywhere else. First a topic with four partitions, made anew each time.

# %%
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

topic = f"lesson.orders.{uuid4().hex[:8]}"
admin = KafkaAdminClient(bootstrap_servers=servers)
admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])

# %% [markdown]
# A record has a key and a value. Here the key is the site where an order was placed. **Predict:** we write twelve orders
# of three sites. Into how many partitions will they go?

# %%
import json

producer = KafkaProducer(bootstrap_servers=servers)
sites = ["oakland", "berkeley", "fremont"]
sent = []
for number in range(orders):
    site = sites[number % 3]
    value = json.dumps({"site": site, "order": number}).encode()
    sent.append((site, producer.send(topic, key=site.encode(), value=value).get(timeout=10)))

# %% [markdown]
# `send` returns a future; its result says where the record went: a partition, and an offset in it.

# %%
import pandas as pd

places = pd.DataFrame([(site, meta.partition, meta.offset) for site, meta in sent], columns=["site", "partition", "offset"])
places.groupby("site")["partition"].unique()

# %% [markdown]
# At most three, and each site always in the same one: the partition is a hash of the key. So **order holds within a
# site**, because it holds within a partition. Between partitions Kafka promises nothing.

# %%
assert places.groupby("site")["partition"].nunique().eq(1).all(), "a key must always go to the same partition"
places.groupby("partition")["offset"].agg(["min", "max", "count"])

# %% [markdown]
# ## Reading does not take anything away
#
# A consumer reads from an offset onwards. **Predict:** two consumer groups read the topic, one after the other. How many
# records does the second one get?

# %%
def read_all(group):
    reader = KafkaConsumer(topic, bootstrap_servers=servers, group_id=group, auto_offset_reset="earliest",
                           enable_auto_commit=False, consumer_timeout_ms=4000)
    records = [record for record, _ in zip(reader, range(orders))]
    reader.commit()
    reader.close()
    return records


first, second = read_all("group-a"), read_all("group-b")
len(first), len(second)

# %% [markdown]
# All of them, again. A group's progress is only a number for each partition, its *committed offset*. Move the number back
# and the records come again: that is how a pipeline is replayed after a mistake.

# %%
reader = KafkaConsumer(bootstrap_servers=servers, group_id="group-a", enable_auto_commit=False)
partitions = [TopicPartition(topic, number) for number in range(4)]
{partition.partition: reader.committed(partition) for partition in partitions}

# %% [markdown]
# ## A contract: the schema registry
#
# So far anybody may write anything. A *schema* says which fields an event has and of which type; the registry keeps it
# under a *subject* and gives it a number. We register a small one with the field's reference client.

# %%
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

registry = SchemaRegistryClient({"url": settings.schema_registry_url})
subject = f"{topic}-value"
order = {"title": "order", "type": "object", "additionalProperties": False, "required": ["site", "order"],
         "properties": {"site": {"type": "string"}, "order": {"type": "integer"}}}
schema_id = registry.register_schema(subject, Schema(json.dumps(order), "JSON"))
schema_id

# %% [markdown]
# A record then begins with five bytes: a zero and the schema's number. Any client can look the number up and know how to
# read the rest. **Predict** the first five bytes before you run the cell.

# %%
from rtlib.broker.framing import frame, unframe

record = frame(schema_id, b'{"site": "oakland", "order": 99}')
record[:5], unframe(record)

# %% [markdown]
# ## Changing the contract
#
# The registry is told to refuse what would break readers of older records. A new *optional* field is fine; making `order`
# a text is not. **Predict** which of the two is refused.

# %%
from rtlib.broker.registry import register
from rtlib.errors import SchemaRefused

with_note = {**order, "properties": {**order["properties"], "note": {"type": "string"}}}
register(settings, subject, order)
print("optional field: accepted as schema", register(settings, subject, with_note))

# %% [markdown]
# And the other one. Read the reason: it names the field and what would go wrong.

# %%
as_text = {**order, "properties": {**order["properties"], "order": {"type": "string"}}}
try:
    register(settings, subject, as_text)
except SchemaRefused as refused:
    print(refused)

# %% [markdown]
# ## The live topic
#
# The pipeline's own events are framed the same way. We read the newest of each partition of the domain's topic and look
# at them as a table. Some are broken on purpose and cannot be read: we leave those out here.

# %%
from itertools import islice

from rtlib.broker.consumer import decode
from rtlib.errors import EventRefused

live = [TopicPartition(settings.topic("events"), number) for number in range(4)]
tail = KafkaConsumer(bootstrap_servers=servers, consumer_timeout_ms=3000)
tail.assign(live)
for partition, end in tail.end_offsets(live).items():
    tail.seek(partition, max(0, end - 50))

# %%
def readable(record):
    try:
        return decode(record.value)
    except EventRefused:
        return None


newest = islice(tail, 200)  # the topic never ends, so we say how much we want
events = pd.DataFrame([told for told in map(readable, newest) if told])
events.groupby(["site", "kind"]).size().unstack(fill_value=0)

# %% [markdown]
# ## What does not fit
#
# A record that breaks the contract is not thrown away. It goes to the *rejected* topic: the bytes as they were, and the
# reason beside them as headers, so that somebody can mend and replay it.

# %%
bin_ = KafkaConsumer(settings.topic("rejected"), bootstrap_servers=servers, auto_offset_reset="earliest")
arrived = [record for batch in bin_.poll(timeout_ms=8000).values() for record in batch]
misfits = [({name: text.decode() for name, text in one.headers}, one.value) for one in arrived]
pd.DataFrame([{**headers, "bytes": value[:40]} for headers, value in misfits]).tail(8)

# %% [markdown]
# **Try it:** send an order without a `site` through the registry's contract in your head. Which reason would you read?
#
# We close the clients; the lesson's topic is thrown away, and the pipeline's own topics stay as they are.

# %%
for client in (producer, reader, tail, bin_):
    client.close()
admin.delete_topics([topic])
admin.close()

# %% [markdown]
# You have learned
#
# - how a key chooses a partition, and what order Kafka promises
# - how consumers read at their own pace, and read again
# - how a schema registry keeps a contract, and what happens to what breaks it
#
# Next comes Spark: windows, watermarks and late events.
