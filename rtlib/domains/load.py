"""Load: read a domain from its TOML file and its JSON Schema."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from rtlib.domains.spec import AlertSpec, Attribute, Demand, Domain, Kind, KpiSpec, Site, Staffing, ValueSpec
from rtlib.errors import ConfigError

Table = Mapping[str, Any]
HERE = files("rtlib.domains")


def domain_names() -> tuple[str, ...]:
    """The domains there are, in alphabetical order: every TOML file of this folder."""
    return tuple(sorted(one.name.removesuffix(".toml") for one in HERE.iterdir() if one.name.endswith(".toml")))


@cache
def load_domain(name: str) -> Domain:
    """The domain of this name, read once.

    Example:
        >>> load_domain("curbside").title
        'Curb-side pick-up'

    Raises:
        ConfigError: There is no such domain, or its file does not hold what a domain needs.
    """
    if name not in domain_names():
        raise ConfigError(f"no domain is called {name!r}", cure=f"use one of: {', '.join(domain_names())}")
    schema = HERE.joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    try:
        return _domain(name, tomllib.loads(HERE.joinpath(f"{name}.toml").read_text(encoding="utf-8")), schema)
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{name}.toml does not describe a domain: {error}", cure="compare it with iot.toml"
        ) from error


def _domain(name: str, table: Table, schema_text: str) -> Domain:
    return Domain(
        name=name,
        title=table["title"],
        about=table["about"],
        sites=tuple(Site(**one) for one in table["sites"]),
        kinds=tuple(_kind(one) for one in table["kinds"]),
        attributes=tuple(_attribute(one) for one in table["attributes"]),
        kpis=tuple(KpiSpec(**_frozen(one)) for one in table["kpis"]),
        demand=Demand(hourly=_scaled(table["demand"]["hourly"]), weekday=_scaled(table["demand"]["weekday"])),
        staffing=Staffing(**_frozen(table["staffing"])),
        alerts=tuple(AlertSpec(**one) for one in table["alerts"]),
        schema_text=schema_text,
    )


def _kind(table: Table) -> Kind:
    value = ValueSpec(**table.get("value", {}))
    attributes = tuple(_attribute(one) for one in table.get("attributes", ()))
    return Kind(name=table["name"], share=table["share"], unit=table["unit"], value=value, attributes=attributes)


def _attribute(table: Table) -> Attribute:
    return Attribute(**_frozen(table))


def _frozen(table: Table) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _scaled(numbers: list[float]) -> tuple[float, ...]:
    """The same numbers with a mean of 1."""
    mean = sum(numbers) / len(numbers)
    return tuple(one / mean for one in numbers)
