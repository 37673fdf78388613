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
# # 01 From producer to Kafka, with the registry
#
# You will learn
#
# - how a key chooses a partition, and what order Kafka promises
# - how consumers read at their own pace, and read again
# - how a schema registry keeps a contract, and what happens to what breaks it
#
# The stack must be running (`rtlib up`). This lesson writes to a topic of its own, so that the counts of the pipeline
# stay true; of the pipeline's topics it only reads. Its example, orders at three places, is the same whichever domain
# your stack runs. It takes half an hour or so.

# %% [markdown]
# What you may change: how many orders are written.

# %% tags=["parameters"]
orders = 12

# %% [markdown]
# Papermill runs a lesson with other values, as in `papermill 01_kafka.ipynb done.ipynb -p orders 30`. The next line
# checks them, so that a value that cannot work is refused here and not somewhere in the middle.

# %%
from rtlib.lessons import check

orders = check("01_kafka", orders=orders)

# %% [markdown]
# We ask where Kafka and the registry are, and whether they answer. If they do not, the last line of the error says what
# to type. And once more the small function that compares your guess with the truth.

# %%
from rtlib.config import load_settings
from rtlib.pipeline.monitoring import health

settings = load_settings()
print(f"Kafka at {settings.bootstrap_servers} {health.broker(settings)}; the registry {health.registry(settings)}")

def compare(guess, truth):
    verdict = "no guess yet" if guess is None else "as you said" if guess == truth else f"you said {guess!r}"
    print(f"{truth!r} ({verdict})")

# %% [markdown]
# ## A topic is a log in partitions
#
# From here on it is `kafka-python`, as you would use it anywhere. These are all the names that we need of it, and one
# client for orders that concern the broker itself. Every client takes the same few arguments: `client_options` returns
# them as a dictionary, where Kafka is and, if it asks for one, how to sign in, and `**` hands them over.

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
# Our topics have four partitions. A name ends in a random word, so that each run begins with an empty topic.
# `replication_factor=1` means that there is one copy of it, because there is one broker; in earnest it is three.

# %%
def new_topic():
    topics.append(f"rtlib.lesson.orders.{uuid4().hex[:8]}")
    admin.create_topics([NewTopic(topics[-1], num_partitions=4, replication_factor=1)])
    return topics[-1]


# %% [markdown]
# A record has a key and a value, both of them bytes. Here the key is the site where an order was placed. `send` returns
# straight away, with a *future*; asking for its result waits until Kafka has written the record and says where.
# `acks="all"` means that every copy that is in step (an *in-sync replica*) must have it. The answer may get lost on the
# way, and then the producer sends the record again; it numbers what it sends, so Kafka knows the second one and writes
# it once. That is called *idempotent*.

# %%
producer = KafkaProducer(**connection, acks="all")


def send(number, site):
    value = json.dumps({"site": site, "order": number}).encode()
    return producer.send(topic, key=site.encode(), value=value).get(timeout=30)


# %% [markdown]
# **Predict:** we write twelve orders of three sites to a new topic with four partitions. Into how many partitions do
# they go: one, two, three, four, or is there no telling?

# %%
import pandas as pd

my_guess = None  # for instance 4
topic, sites = new_topic(), ["oakland", "berkeley", "fremont"]
sent = [send(number, sites[number % 3]) for number in range(orders)]
places = pd.DataFrame([(sites[number % 3], told.partition, told.offset) for number, told in enumerate(sent)])
places.columns = ["site", "partition", "offset"]
compare(my_guess, places["partition"].nunique())

# %% [markdown]
# Two. The partition is a hash of the key, so a site is always in the same one, and two of our sites happen to share
# one. With three keys there can be no more than three, so at least one of the four partitions stays empty. The hash is
# taken modulo the number of partitions: who adds partitions later moves keys to other places. So one begins with enough
# of them, and with many more keys than partitions. Look where each site went, and which offsets it got.

# %%
assert places.groupby("site")["partition"].nunique().eq(1).all(), "a key must always go to the same partition"
places.groupby(["partition", "site"])["offset"].apply(list).to_frame()

# %% [markdown]
# An *offset* is a record's number within its partition: it counts from 0 and never changes. **Predict:** one more order
# for oakland. To which partition does it go, and which offset does it get? The table above has all you need.

# %%
my_guess = None  # for instance (2, 5): partition 2, offset 5
told = send(orders, "oakland")
compare(my_guess, (told.partition, told.offset))

# %% [markdown]
# ## Reading does not take anything away
#
# Readers come in *groups*. A group shares the partitions among its members, each partition going to one of them, and
# Kafka remembers how far the group has read. With four partitions a group of two takes two each, and a fifth member
# would have nothing to do: partitions are the limit of how many can work side by side. Our groups have one member.
# `read` opens a reader for a group, takes what there is, commits, and leaves. It stops when it has read as many records
# as the partitions hold, or when nothing has come for three seconds.

# %%
def read(group):
    reader = KafkaConsumer(topic, **connection, group_id=group, auto_offset_reset="earliest",
                           enable_auto_commit=False, consumer_timeout_ms=3000)
    ends = reader.end_offsets([TopicPartition(topic, number) for number in range(4)])
    records = list(islice(reader, sum(ends.values())))
    reader.commit()
    reader.close()
    return records


# %% [markdown]
# **Predict:** group `kitchen` reads everything first. Then group `billing` reads. How many records does `billing` get?

# %%
my_guess = None  # for instance 0
kitchen, billing = f"kitchen-{uuid4().hex[:8]}", f"billing-{uuid4().hex[:8]}"
by_kitchen, by_billing = read(kitchen), read(billing)
compare(my_guess, len(by_billing))
assert len(by_kitchen) == len(by_billing) > orders, "each group gets every record; run again from the cell that writes"

# %% [markdown]
# All of them. A queue hands each message to one reader; a log keeps it, and every group reads it at its own pace. Now
# for the order. We wrote the orders one after the other, as 0, 1, 2, and so on. **Predict:** does `kitchen` see them in
# that order?

# %%
seen = pd.DataFrame([(one.partition, one.offset, json.loads(one.value)["order"]) for one in by_kitchen])
seen.columns = ["partition", "offset", "order"]
print("as they were read:", *seen["order"])
seen.groupby("partition")["order"].apply(list).to_frame("orders in this partition")

# %% [markdown]
# Not as a whole: a partition comes in a piece, then the next. But within a partition the order is the one in which the
# records were written. **Order holds within a partition only**, and because a site is always in the same one, it holds
# for each site. That is why the key is chosen with care: it says what must stay in order.

# %%
in_order = seen.groupby("partition")["order"].apply(lambda orders: orders.is_monotonic_increasing)
assert in_order.all(), "within a partition the order is that of writing; run again from the cell that writes"

# %% [markdown]
# **Predict:** `kitchen` has read everything and committed. It opens a new reader and reads again. How many records
# come?

# %%
my_guess = None  # for instance 13
compare(my_guess, len(read(kitchen)))

# %% [markdown]
# None. A group's progress is nothing but a number for each partition, its *committed offset*: the next one to be read.
# A new reader begins there. A partition in which there is nothing has a 0. And numbers can be set back, which is how a
# pipeline is replayed after a mistake. `set_back` shows the numbers of a group, and then begins anew.

# %%
def set_back(group):
    reader = KafkaConsumer(**connection, group_id=group, enable_auto_commit=False)
    reader.assign([TopicPartition(topic, number) for number in range(4)])
    print("committed:", {one.partition: reader.committed(one) for one in sorted(reader.assignment())})
    for one in reader.assignment():
        reader.seek(one, 0)
    reader.commit()
    reader.close()


# %% [markdown]
# **Predict** once more: we set `kitchen` back to 0 everywhere, and it reads. How many records does it get? And what if
# it is a program that books a payment for each of them?

# %%
my_guess = None
set_back(kitchen)
compare(my_guess, len(read(kitchen)))

# %% [markdown]
# Everything comes again. Kafka delivers *at least once*; that each event counts once is up to whoever reads. In this
# pipeline each event has an `event_id` for that, and the archive drops what it has seen before.
#
# ## A contract: the schema registry
#
# So far anybody may write anything. A *schema* says which fields an event has, and of which type. The registry keeps it
# under a *subject* and gives it a number. Ours is *closed*: `additionalProperties` says that there is nothing in an
# event but the fields that are listed.

# %%
fields = {"site": {"type": "string"}, "order": {"type": "integer"}}
order = {"title": "order", "type": "object", "required": list(fields), "properties": fields}
order["additionalProperties"] = False

# %% [markdown]
# We use Confluent's own client, which speaks to this registry as to Confluent's, and tell it to take *backward
# compatible* changes only: a reader with the new schema must understand older records. The registry refuses a request
# without its password, which is new at each start; `registry_options` returns it with the address.

# %%
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from rtlib.broker.registry import registry_options

registry = SchemaRegistryClient(registry_options(settings))
subject = f"{topic}-value"
registry.set_compatibility(subject, "BACKWARD")
schema_id = registry.register_schema(subject, Schema(json.dumps(order), "JSON"))
schema_id

# %% [markdown]
# A serializer holds each value against the schema, and puts five bytes before it: a zero, and the schema's number in
# four bytes, the largest first. Any reader can look the number up, once, and then knows how to read the rest. The
# schema itself does not travel with each record, which keeps records small. **Predict** the first five bytes.

# %%
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

my_guess = None  # for instance bytes([0, 0, 0, 0, 1])
serialize = JSONSerializer(json.dumps(order), registry, conf={"auto.register.schemas": False})
context = SerializationContext(topic, MessageField.VALUE)
record = serialize({"site": "oakland", "order": 99}, context)
compare(my_guess, record[:5])
print(record)

# %% [markdown]
# What does not fit never reaches Kafka: the serializer refuses it on the producer's side, and says why. **Predict:**
# which of these three does it refuse, and with which words?

# %%
for value in ({"site": "oakland", "order": "twelve"}, {"site": "oakland"}, {"site": "", "order": -1}):
    try:
        print("taken  ", value, serialize(value, context))
    except SerializationError as refused:
        print("refused", value, refused)

# %% [markdown]
# The third one is taken, although no site has an empty name. A schema guards only what it says.
#
# **Try it:** add `"minLength": 1` to the field `site` and `"minimum": 0` to `order`, and run on from that cell. What
# does the registry say to it?
#
# <details><summary>A hint</summary>
#
# Backward compatible means: whoever reads by the new schema understands every record that the old one has let through.
# Is there one that it would not?
#
# </details>
# <details><summary>The answer</summary>
#
# It refuses: the old schema has let `{"site": "", "order": -1}` through, and a reader with the new one would choke on
# it. A contract that is published can be loosened, and not tightened. Who wants it tighter says so on the first day:
# write the orders to a new topic (run from the cell that does), and its schema is the first one there, and taken.
#
# </details>
#
# ## Changing the contract
#
# Contracts change. A new *optional* field is fine here: older records simply do not have it. The registry takes it, as
# a new version with a number of its own.

# %%
with_note = {**order, "properties": {**fields, "note": {"type": "string"}}}
print("taken as schema", registry.register_schema(subject, Schema(json.dumps(with_note), "JSON")))
print("versions:", registry.get_versions(subject))

# %% [markdown]
# This works because our schema is closed. In an open one old records might already hold a `note` of another type, and
# Confluent refuses the change (`PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL`).
#
# Next, somebody wants `order` to be a text. Think of a reader with that schema who meets one of our older records.
# **Predict:** does the registry take it? We register through `rtlib` here. It makes the same call, and turns the
# registry's answer, a list of codes, into a sentence for each field.

# %%
from rtlib.broker.registry import register
from rtlib.errors import SchemaRefused

as_text = {**with_note, "properties": {**with_note["properties"], "order": {"type": "string"}}}
try:
    print("taken as schema", register(settings, subject, as_text))
except SchemaRefused as refused:
    print(refused)

# %% [markdown]
# Refused, before one record could do any harm. The versions are what they were: ask for them again if you like.
#
# ## The live topic
#
# The pipeline's own events are made in the same way. We only read. A live topic has no end, so we first ask where its
# end is *now*, go back some records in each partition, and take as many as there were.

# %%
def newest(topic, count):
    tail = KafkaConsumer(**connection, consumer_timeout_ms=5000)
    tail.assign([TopicPartition(topic, number) for number in tail.partitions_for_topic(topic)])
    ends = tail.end_offsets(tail.assignment())
    for partition, end in ends.items():
        tail.seek(partition, max(0, end - count))
    return list(islice(tail, sum(min(end, count) for end in ends.values())))


# %% [markdown]
# Five bytes off, and the rest is JSON: so it should be. The simulator breaks some records on purpose, as real devices
# do. Some of them cannot even be read, and we count those.

# %%
def value_of(record):
    try:
        return json.loads(record.value[5:])
    except ValueError:
        return None


records = newest(settings.topic("events"), 50)
values = [value for value in map(value_of, records) if isinstance(value, dict)]
print(f"{len(records)} records, {len(records) - len(values)} of them cannot be read")

# %% [markdown]
# **Predict:** does every site have about the same number of events? And how many schemas do you expect behind these
# records? Their numbers are in bytes 1 to 4.

# %%
events = pd.DataFrame(values, columns=["site", "kind", "occurred_at", "value", "unit"])
print("schemas:", {int.from_bytes(record.value[1:5], "big") for record in records})
events.groupby(["site", "kind"]).size().unstack(fill_value=0)

# %% [markdown]
# One schema, unless somebody has changed it while the pipeline ran; and some sites are busier than others, as in life.
# If a site or a kind looks odd to you, you have found a broken record that can be read and is wrong all the same.
#
# ## What does not fit
#
# A record that breaks the contract is not thrown away. It goes to the *rejected* topic: the bytes as they were, and
# beside them, as headers, the reason and where it came from. So somebody can mend it and send it again.

# %%
rejected = newest(settings.topic("rejected"), 20)
columns = ["reason", "field", "topic", "partition", "offset", "bytes"]
rows = [{**{name: text.decode() for name, text in one.headers}, "bytes": one.value} for one in rejected]
print(f"{len(rows)} of the newest; if there are none yet, wait a minute and run this cell again")
pd.DataFrame(rows, columns=columns).tail(8)

# %% [markdown]
# **Predict:** what do you find at that partition and offset of that topic? We fetch the record from there, and hold its
# bytes against those that were rejected.

# %%
if rows:
    origin = TopicPartition(rows[-1]["topic"], int(rows[-1]["partition"]))
    tail = KafkaConsumer(**connection, consumer_timeout_ms=5000)
    tail.assign([origin])
    tail.seek(origin, int(rows[-1]["offset"]))
    original = next(tail).value
    tail.close()
    print(original, "the same bytes" if rows[-1]["bytes"] in original else "other bytes", sep="\n")

# %% [markdown]
# It is still there: a log forgets nothing on its own account. The rejected topic adds the reason.
#
# We close the clients and throw the lesson's own topic and schemas away. The pipeline's topics stay as they are.

# %%
for one in {f"{name}-value" for name in topics} & set(registry.get_subjects()):
    registry.delete_subject(one)
admin.delete_topics(topics)
producer.close()
print("gone:", *topics)

# %% [markdown]
# You have learned
#
# - how a key chooses a partition, and what order Kafka promises
# - how consumers read at their own pace, and read again
# - how a schema registry keeps a contract, and what happens to what breaks it
#
# Next comes Spark, which reads the same topic: windows, watermarks and late events.
