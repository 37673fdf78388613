"""Monitoring: health checks, probes, and the monitor that feeds the graph."""
