"""Broker: topics, producer, consumer and schema registry, on Apache Kafka."""
