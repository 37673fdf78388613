"""Explanations: what a node does and how it is, from measured facts; by template, or by a model that is verified."""
