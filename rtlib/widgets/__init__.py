"""Widgets: the only importers of ipywidgets and ipycytoscape."""

from rtlib.widgets.architecture import ArchitectureGraph
from rtlib.widgets.dashboard import Dashboard, dashboard

__all__ = ["ArchitectureGraph", "Dashboard", "dashboard"]
