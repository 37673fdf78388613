"""Broker: topics, producers, consumers and the schema registry, on Apache Kafka.

client             sign-in options of every Kafka client
errors             errors of the Kafka clients as ServiceError
topic_specs        partitions, retention and limits of the domain's topics
topics             create, list, measure and delete topics; offsets and consumer groups
topic_size         the growth of a topic in records and bytes, sampled on an open connection
subjects           names of schemas in the registry
registry           schemas, by Confluent's API
compatibility      a refused schema change, explained field by field
framing            Confluent's wire format: a zero byte and the schema's id before the payload
serde              events, KPIs, query progress and heartbeats to bytes and back
validation         a JSON Schema compiled for thousands of events per second
plain_producer     KafkaProducer with this project's sign-in
producer           validated, framed events to Kafka
delivery           acknowledgements and failures of the records in flight
rejected           records that do not fit their schema: untouched bytes, the reason in headers
consumer           KafkaConsumer with this project's options
librdkafka_reader  a fast reader of whole topics
kpi_records        the newest KPI of each key; refused KPI records
record_fetch       single records by partition and offset
topic_scan         every record of a topic, once
users              the user of the local broker on a shared machine
"""
