"""Probes: the classes that observe the nodes of the graph."""
