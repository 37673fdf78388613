"""Streaming: one Spark Structured Streaming application with the kpis and the archive query."""
