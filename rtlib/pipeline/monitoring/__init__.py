"""Monitoring: probes and health checks, and the state that the graph shows."""
