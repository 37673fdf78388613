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
# # 01 From producer to Kafka, with the registry
#
# You will learn
#
# - how a key chooses a partition, and what order Kafka promises
# - how consumers read at their own pace, and read again
# - how a schema registry keeps a contract, and what happens to records that break it
#
# The stack must be running (`rtlib up`). This lesson writes to a topic of its own, so that the counts of the pipeline
# stay correct; it only reads from the pipeline's topics. Its example, orders at three sites, is the same for every
# domain. The lesson takes about half an hour.

# %% [markdown]
# The parameter of this lesson: how many orders are written.

# %% tags=["parameters"]
orders = 12

# %% [markdown]
# Papermill can run the lesson with another value, for example `papermill 01_kafka.ipynb done.ipynb -p orders 30`.
# `parameters` validates it. `predict` prints a result next to your guess.

# %%
from rtlib.lessons import parameters, predict

orders = parameters("01_kafka", orders=orders)

# %% [markdown]
# First a health check of Kafka and the registry. If one of them does not answer, the last line of the error says what
# to type.

# %%
from rtlib.config import load_settings
from rtlib.pipeline.monitoring import health

settings = load_settings()
print(f"Kafka at {settings.bootstrap_servers} {health.broker(settings)}; the registry {health.registry(settings)}")

# %% [markdown]
# ## A topic is a log in partitions
#
# From here on you use `kafka-python` as in any other project. These are all the classes that the lesson needs. The
# admin client creates and deletes topics. Every client takes the same connection options: `client_options` returns them
# as a dictionary (the address, and the credentials if Kafka requires them), and `**` passes them on.

# %%
import json
from itertools import islice
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from rtlib.broker.client import client_options

connection = client_options(settings)
admin, topics = KafkaAdminClient(**connection), []


# %% [markdown]
# Each topic of this lesson has four partitions. Its name ends in a random string, so that each run starts with an empty
# topic. `replication_factor=1` means a single copy, because there is a single broker; production systems use three.

# %%
def new_topic():
    topics.append(f"rtlib.lesson.orders.{uuid4().hex[:8]}")
    admin.create_topics([NewTopic(topics[-1], num_partitions=4, replication_factor=1)])
    return topics[-1]


# %% [markdown]
# A record has a key and a value; both are bytes. Here the key is the site of the order. `send` returns immediately with
# a *future*. `get` waits until Kafka has written the record, and returns its partition and offset. With `acks="all"`
# Kafka answers only when every *in-sync replica* has the record. If the answer is lost on the network, the producer
# sends the record again. Because the producer numbers its records, Kafka recognizes the second copy and drops it. This
# is called an *idempotent* producer.

# %%
producer = KafkaProducer(**connection, acks="all")


def send(number, site):
    value = json.dumps({"site": site, "order": number}).encode()
    return producer.send(topic, key=site.encode(), value=value).get(timeout=30)


# %% [markdown]
# **Predict:** the cell writes twelve orders from three sites to a new topic with four partitions. How many of the
# partitions receive records: one, two, three or four? Or is it impossible to know?

# %%
import pandas as pd

my_guess = None  # for example 4
topic, sites = new_topic(), ["oakland", "berkeley", "fremont"]
written = [send(number, sites[number % 3]) for number in range(orders)]
places = pd.DataFrame([(sites[number % 3], record.partition, record.offset) for number, record in enumerate(written)])
places.columns = ["site", "partition", "offset"]
predict("01.a", my_guess, places["partition"].nunique())

# %% [markdown]
# Two. The partition is a hash of the key, so all records of a site go to the same partition, and two of these sites
# happen to share one. Three keys can reach at most three partitions, so at least one of the four stays empty. The hash
# is taken modulo the number of partitions, so adding partitions later moves keys to other partitions. That is why
# topics start with enough partitions, and with many more keys than partitions. The table shows the partition and the
# offsets of each site.

# %%
assert places.groupby("site")["partition"].nunique().eq(1).all(), "a key must always go to the same partition"
places.groupby(["partition", "site"])["offset"].apply(list).to_frame()

# %% [markdown]
# An *offset* is the position of a record within its partition: it counts from 0 and never changes.
#
# **Predict:** the next cell sends one more order from oakland. Which partition and which offset does it get? You can
# work it out from the table above.

# %%
my_guess = None  # for example (2, 5): partition 2, offset 5
latest = send(orders, "oakland")
predict("01.b", my_guess, (latest.partition, latest.offset))


# %% [markdown]
# ## Reading does not remove anything
#
# Consumers form *groups*. A group divides the partitions among its members: each partition goes to one member, and
# Kafka stores how far the group has read. With four partitions, a group of two members reads two partitions each, and a
# fifth member would stay idle. So the number of partitions limits the parallelism. The groups in this lesson have one
# member. `read` opens a consumer for a group, reads the records, commits and closes. It stops when it has as many
# records as the partitions hold, or when none has arrived for three seconds.

# %%
def read(group):
    consumer = KafkaConsumer(topic, **connection, group_id=group, auto_offset_reset="earliest",
                             enable_auto_commit=False, consumer_timeout_ms=3000)
    ends = consumer.end_offsets([TopicPartition(topic, number) for number in range(4)])
    records = list(islice(consumer, sum(ends.values())))
    consumer.commit()
    consumer.close()
    return records


# %% [markdown]
# **Predict:** group `kitchen` reads all records. Then group `billing` reads. How many records does `billing` get?

# %%
my_guess = None  # for example 0
kitchen, billing = f"kitchen-{uuid4().hex[:8]}", f"billing-{uuid4().hex[:8]}"
by_kitchen, by_billing = read(kitchen), read(billing)
predict("01.c", my_guess, len(by_billing))
assert len(by_kitchen) == len(by_billing) > orders, "each group gets every record; run again from the cell that writes"

# %% [markdown]
# All of them. A queue hands each message to one consumer; a log keeps it, and every group reads it at its own pace. Now
# consider the order. The orders were written one after the other: 0, 1, 2 and so on.
#
# **Predict:** does `kitchen` read them in that order?

# %%
kitchen_rows = [(record.partition, record.offset, json.loads(record.value)["order"]) for record in by_kitchen]
received = pd.DataFrame(kitchen_rows, columns=["partition", "offset", "order"])
print("in the order of reading:", *received["order"])
received.groupby("partition")["order"].apply(list).to_frame("orders in this partition")

# %% [markdown]
# Not overall: the consumer returns a batch from one partition, then a batch from the next. Within a partition, however,
# the records have the order in which they were written. **Kafka guarantees order only within a partition.** All orders
# of a site are in one partition, so they stay in order. Choose the key with care: it decides which records stay in
# order.

# %%
in_order = received.groupby("partition")["order"].apply(lambda numbers: numbers.is_monotonic_increasing)
assert in_order.all(), "within a partition the order of writing must hold; run again from the cell that writes"

# %% [markdown]
# **Predict:** `kitchen` has read everything and committed. Now it opens a new consumer and reads again. How many
# records does it get?

# %%
my_guess = None  # for example 13
predict("01.d", my_guess, len(read(kitchen)))


# %% [markdown]
# None. The progress of a group is one number per partition, its *committed offset*: the position of the next record to
# read. A new consumer of the group starts there. An empty partition has the committed offset 0. A group can also move
# its offsets back; that is how a pipeline is replayed after a mistake. `reset` prints the committed offsets of a group
# and sets them to 0.

# %%
def reset(group):
    consumer = KafkaConsumer(**connection, group_id=group, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, number) for number in range(4)])
    print("committed:", {tp.partition: consumer.committed(tp) for tp in sorted(consumer.assignment())})
    for tp in consumer.assignment():
        consumer.seek(tp, 0)
    consumer.commit()
    consumer.close()


# %% [markdown]
# **Predict:** we reset `kitchen` to 0 in every partition, and it reads again. How many records does it get? And what
# would happen if `kitchen` charged a credit card for each of them?

# %%
my_guess = None
reset(kitchen)
predict("01.e", my_guess, len(read(kitchen)))

# %% [markdown]
# It gets all of them again. Kafka delivers *at least once*; to count each event once is the task of the consumer. In
# this pipeline each event has an `event_id` for that purpose, and the archive drops events that it already has.
#
# ## A contract: the schema registry
#
# So far a producer may write anything. A *schema* defines the fields of an event and their types. The registry stores
# it under a *subject* and assigns it an id. The schema below is *closed*: `additionalProperties` is false, so an event
# may have no other fields.

# %%
fields = {"site": {"type": "string"}, "order": {"type": "integer"}}
order = {"title": "order", "type": "object", "required": list(fields), "properties": fields}
order["additionalProperties"] = False

# %% [markdown]
# The registry speaks the protocol of Confluent's registry, so we use Confluent's own client. The subject accepts only
# *backward compatible* changes: a consumer with the new schema must be able to read older records. The registry also
# requires a password, which changes at each start of the stack; `registry_options` returns it with the address.

# %%
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from rtlib.broker.registry import registry_options

registry = SchemaRegistryClient(registry_options(settings))
subject = f"{topic}-value"
registry.set_compatibility(subject, "BACKWARD")
schema_id = registry.register_schema(subject, Schema(json.dumps(order), "JSON"))
schema_id

# %% [markdown]
# A serializer validates each value against the schema and prefixes it with five bytes: a zero, then the schema id as a
# four-byte big-endian integer. A consumer looks the id up once and then knows how to decode the rest. The schema itself
# is not part of the record, which keeps records small.
#
# **Predict:** what are the first five bytes?

# %%
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

my_guess = None  # for example bytes([0, 0, 0, 0, 1])
serialize = JSONSerializer(json.dumps(order), registry, conf={"auto.register.schemas": False})
context = SerializationContext(topic, MessageField.VALUE)
record = serialize({"site": "oakland", "order": 99}, context)
predict("01.f", my_guess, record[:5])
print(record)

# %% [markdown]
# An invalid value never reaches Kafka: the serializer rejects it in the producer and gives the reason.
#
# **Predict:** which of these three values does it reject, and why?

# %%
for value in ({"site": "oakland", "order": "twelve"}, {"site": "oakland"}, {"site": "", "order": -1}):
    try:
        print("accepted", value, serialize(value, context))
    except SerializationError as error:
        print("refused", value, error)

# %% [markdown]
# It accepts the third one, although no site has an empty name. A schema checks only the rules that it contains.
#
# **Try it:** add `"minLength": 1` to the field `site` and `"minimum": 0` to `order`, and run again from that cell. How
# does the registry respond?
#
# <details><summary>A hint</summary>
#
# Backward compatible means that a consumer with the new schema can read every record that the old schema accepted. Is
# there a record that it could not read?
#
# </details>
# <details><summary>The answer</summary>
#
# It refuses. The old schema accepted `{"site": "", "order": -1}`, and a consumer with the new schema would fail on it.
# A published contract can be relaxed, but not tightened. If you need a stricter schema, define it on the first day:
# create a new topic (run again from the cell that writes), and the registry accepts the stricter schema as its first.
#
# </details>
#
# ## Changing the contract
#
# Contracts change. A new *optional* field is a compatible change here: older records simply lack it. The registry
# accepts it as a new version with its own id.

# %%
with_note = {**order, "properties": {**fields, "note": {"type": "string"}}}
print("accepted as schema", registry.register_schema(subject, Schema(json.dumps(with_note), "JSON")))
print("versions:", registry.get_versions(subject))

# %% [markdown]
# This works because the schema is closed. With an open schema, older records might already contain a `note` of another
# type, and Confluent refuses the change (`PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL`).
#
# The next change turns `order` into a string. We register it through `rtlib`, which makes the same call and turns the
# registry's answer, a list of codes, into one sentence per field.
#
# **Predict:** think of a consumer with the new schema and an older record. Does the registry accept the change?

# %%
from rtlib.broker.registry import register
from rtlib.errors import SchemaRefused

as_text = {**with_note, "properties": {**with_note["properties"], "order": {"type": "string"}}}
try:
    print("accepted as schema", register(settings, subject, as_text))
except SchemaRefused as error:
    print(error)


# %% [markdown]
# The registry refuses it before a single bad record exists. The versions are unchanged; list them again if you like.
#
# ## The live topic
#
# The pipeline's events are produced in the same way. From here on you only read. A live topic has no end, so `newest`
# first asks for the *current* end offsets. It then goes back `count` records in each partition and reads up to the end.

# %%
def newest(topic, count):
    consumer = KafkaConsumer(**connection, consumer_timeout_ms=5000)
    consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)])
    ends = consumer.end_offsets(consumer.assignment())
    for tp, end in ends.items():
        consumer.seek(tp, max(0, end - count))
    return list(islice(consumer, sum(min(end, count) for end in ends.values())))


# %% [markdown]
# Remove the five-byte prefix, and the rest should be JSON. The simulator corrupts some records on purpose, because real
# devices do the same. Some of those cannot be decoded at all; the cell counts them.

# %%
def value_of(record):
    try:
        return json.loads(record.value[5:])
    except ValueError:
        return None


records = newest(settings.topic("events"), 50)
values = [value for value in map(value_of, records) if isinstance(value, dict)]
print(f"{len(records)} records; {len(records) - len(values)} of them cannot be decoded")

# %% [markdown]
# **Predict:** does every site have about the same number of events? And how many different schemas do these records
# use? The schema id is in bytes 1 to 4.

# %%
events = pd.DataFrame(values, columns=["site", "kind", "occurred_at", "value", "unit"])
print("schema ids:", {int.from_bytes(record.value[1:5], "big") for record in records})
events.groupby(["site", "kind"]).size().unstack(fill_value=0)

# %% [markdown]
# There is a single schema, unless it was changed while the pipeline ran. And some sites are busier than others, as in
# real life. If a site or a kind looks odd, you have found a malformed record: it can be decoded, but it is wrong.
#
# ## Records that break the contract
#
# The pipeline does not discard an invalid record. It writes it to the *rejected* topic: the original bytes as the
# value, and the reason and the origin as headers. So the record can be repaired and sent again.

# %%
rejected = newest(settings.topic("rejected"), 20)
columns = ["reason", "field", "topic", "partition", "offset", "bytes"]
rows = [{**{name: text.decode() for name, text in record.headers}, "bytes": record.value} for record in rejected]
print(f"{len(rows)} rejected records; if there are none yet, wait a minute and run this cell again")
pd.DataFrame(rows, columns=columns).tail(8)

# %% [markdown]
# The next cell fetches the record at that topic, partition and offset, and compares its bytes with the rejected bytes.
#
# **Predict:** is the invalid record still in the events topic?

# %%
if rows:
    origin = TopicPartition(rows[-1]["topic"], int(rows[-1]["partition"]))
    consumer = KafkaConsumer(**connection, consumer_timeout_ms=5000)
    consumer.assign([origin])
    consumer.seek(origin, int(rows[-1]["offset"]))
    original = next(consumer).value
    consumer.close()
    print(original, "the same bytes" if rows[-1]["bytes"] in original else "other bytes", sep="\n")

# %% [markdown]
# It is: a log deletes nothing until its retention time is over. The rejected topic adds the reason.
#
# Finally the lesson deletes its own topics and schemas, and closes the clients. The pipeline's topics stay as they are.

# %%
for subject_name in {f"{name}-value" for name in topics} & set(registry.get_subjects()):
    registry.delete_subject(subject_name)
admin.delete_topics(topics)
producer.close()
print("deleted:", *topics)

# %% [markdown]
# ## Your turn
#
# Six exercises on what you have seen. Replace the blanks, and run the cell: `check` says whether your answer is right
# and, if it is not, which belief it shows. A cell that you leave as it is counts as not answered yet. None of them
# needs a topic of its own: `check` plays your functions on a small cluster that lives in this notebook and can do what
# a real one rarely does, such as lose a broker at the worst moment.

# %%
from rtlib.lessons import check, given, hint, solution

# %% [markdown] exercise="01.1"
# ### Exercise 01.1: the key of an order
#
# Complete the line: the orders of a *site* must stay in the order in which they were written, and the sites may be read
# in parallel. `check` calls your function with a producer and some orders, and looks at the records.
#
# *About 3 minutes (complete a line). Help: `hint("01.1")`, and after a try `solution("01.1")`.*

# %% exercise="01.1"
### BEGIN SOLUTION
def send_order(producer, order):
    return producer.send("orders", key=order["site"].encode(), value=json.dumps(order).encode())
### END SOLUTION
check("01.1", send_order)


# %% [markdown] exercise="01.2"
# ### Exercise 01.2: a producer that loses nothing
#
# Return a producer for records that must be stored, each of them once, although a broker may die and an answer may be
# lost on the network. `check` plays both: the leader dies right after it has answered, and later an answer does not
# arrive. A record that was acknowledged and is not in the log afterwards is lost.
#
# *About 5 minutes (write your own). Help: `hint("01.2")`, and after a try `solution("01.2")`.*

# %% exercise="01.2"
### BEGIN SOLUTION
def new_producer(KafkaProducer, connection):
    return KafkaProducer(**connection, acks="all", enable_idempotence=True)
### END SOLUTION
check("01.2", new_producer)


# %% [markdown] exercise="01.3"
# ### Exercise 01.3: charge each order at least once
#
# `consumer` reads orders for a group and does not commit by itself; `charge(value)` charges a credit card for the value
# of a record. Write the loop. `check` lets the process crash in the middle of a charge, starts it again, and then once
# more when there is nothing new. No order may be missed, and a run without new orders may charge nothing.
#
# *About 8 minutes (write your own). Help: `hint("01.3")`, and after a try `solution("01.3")`.*

# %% exercise="01.3"
### BEGIN SOLUTION
def charge_all(consumer, charge):
    for record in consumer:
        charge(record.value)
        consumer.commit()
### END SOLUTION
check("01.3", charge_all)


# %% [markdown] exercise="01.4"
# ### Exercise 01.4: a new reader of an old topic
#
# The group `kitchen` has read the topic to its end. A new application, `report`, needs *every* order that is in the
# topic, and may not disturb the kitchen. Return the list of all values.
#
# *About 6 minutes (write your own). Help: `hint("01.4")`, and after a try `solution("01.4")`.*

# %% exercise="01.4"
### BEGIN SOLUTION
def read_all(KafkaConsumer, topic, connection):
    consumer = KafkaConsumer(topic, **connection, group_id="report", auto_offset_reset="earliest",
        consumer_timeout_ms=3000)
    return [record.value for record in consumer]
### END SOLUTION
check("01.4", read_all)


# %% [markdown] exercise="01.5"
# ### Exercise 01.5: backward, forward, full
#
# *Backward* means: a reader with the new schema can read old records. *Forward*: a reader with the old schema can read
# new records. *Full*: both. The schema is closed, as above, so a reader refuses a field that its schema does not have.
# Which of them holds for each change? The values are `"backward"`, `"forward"`, `"full"` and `"none"`.
#
# *About 6 minutes (write your own). Help: `hint("01.5")`, and after a try `solution("01.5")`.*

# %% exercise="01.5"
### BEGIN SOLUTION
holds = {"optional field added": "backward", "required field added": "none", "optional field removed": "forward"}
### END SOLUTION
check("01.5", holds)


# %% [markdown] exercise="01.6"
# ### Exercise 01.6: who reads from Kafka?
#
# Look at the graph of lesson 00, and mark the parts that are *consumers* of a topic themselves: if Kafka stops, they
# get no more records. Parts that read a table which such a part fills do not count. Answer with a set of these names:
# simulator, registry, kpis, archive, loader, speed, dwh, dbt, forecast, staffing, dashboard, alerts.
#
# *About 4 minutes (mark the graph). Help: `hint("01.6")`, and after a try `solution("01.6")`.*

# %% exercise="01.6"
### BEGIN SOLUTION
consumers = {"kpis", "archive", "loader", "alerts"}
### END SOLUTION
check("01.6", consumers)


# %% [markdown]
# You have learned
#
# - how a key chooses a partition, and what order Kafka promises
# - how consumers read at their own pace, and read again
# - how a schema registry keeps a contract, and what happens to records that break it
#
# Next: `02_spark`, where Spark reads the same topic with windows, watermarks and late events.
