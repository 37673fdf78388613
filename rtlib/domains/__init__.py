"""Domains: four example worlds as data (TOML and JSON Schema), loaded into frozen records."""

from rtlib.domains.load import domain_names, load_domain
from rtlib.domains.measures import measures
from rtlib.domains.spec import (
    Aggregate,
    Attribute,
    Demand,
    Direction,
    Domain,
    Kind,
    KpiSpec,
    Severity,
    Site,
    Staffing,
    ValueSpec,
)

__all__ = [
    "Aggregate",
    "Attribute",
    "Demand",
    "Direction",
    "Domain",
    "Kind",
    "KpiSpec",
    "Severity",
    "Site",
    "Staffing",
    "ValueSpec",
    "domain_names",
    "load_domain",
    "measures",
]
