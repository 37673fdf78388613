"""Telemetry: heartbeats of the workers and progress of the queries, by the progress topic."""
