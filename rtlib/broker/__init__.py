"""Broker: topics, producer, consumer and schema registry, on Apache Kafka.

client         how every Kafka client signs in
topics         what the topics are made of; create, measure, delete
registry       schemas by Confluent's API; compatibility tells a refusal in words
framing        a zero byte and the schema's id before the payload
validation     a JSON Schema compiled to judge thousands of events a second
producer       events to Kafka, held against their schema
rejected       what does not fit: the bytes untouched, the reason in headers
consumer       a KafkaConsumer, and what its records mean
"""
