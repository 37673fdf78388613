"""Probes: what the monitor observes of each node."""
