"""Widgets: the only importers of ipywidgets and ipycytoscape."""
