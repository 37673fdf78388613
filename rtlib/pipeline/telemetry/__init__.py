"""Telemetry: heartbeats of the workers and progress of the queries, through the progress topic."""
