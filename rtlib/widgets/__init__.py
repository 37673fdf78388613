"""Widgets: the only importers of ipywidgets and ipycytoscape."""

from rtlib.widgets.architecture import ArchitectureGraph
from rtlib.widgets.dashboard import Dashboard, dashboard
from rtlib.widgets.ledger_view import ledger_view

__all__ = ["ArchitectureGraph", "Dashboard", "dashboard", "ledger_view"]
