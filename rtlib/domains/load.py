"""Load: reads a domain from its TOML file and its JSON Schema."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from rtlib.domains.spec import AlertSpec, Attribute, Demand, Domain, Kind, KpiSpec, Site, Staffing, ValueSpec
from rtlib.errors import ConfigError

Table = Mapping[str, Any]
HERE = files("rtlib.domains")


def domain_names() -> tuple[str, ...]:
    """The names of all domains, in alphabetical order: every TOML file of this folder."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in HERE.iterdir() if file.name.endswith(".toml")))


@cache
def load_domain(name: str) -> Domain:
    """The domain of this name, cached after the first call.

    Example:
        >>> load_domain("curbside").title
        'Curb-side pick-up'

    Raises:
        ConfigError: There is no such domain, or its file is invalid.
    """
    if name not in domain_names():
        raise ConfigError(f"there is no domain {name!r}", cure=f"use one of: {', '.join(domain_names())}")
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
        time_zone=_time_zone(table["time_zone"], f"{name}.toml: time_zone"),
        sites=tuple(_site(name, entry) for entry in table["sites"]),
        kinds=tuple(_kind(entry) for entry in table["kinds"]),
        attributes=tuple(_attribute(entry) for entry in table["attributes"]),
        kpis=tuple(KpiSpec(**_frozen(entry)) for entry in table["kpis"]),
        demand=_demand(table["demand"]),
        staffing=_staffing(name, table["staffing"]),
        alerts=tuple(AlertSpec(**entry) for entry in table["alerts"]),
        schema_text=schema_text,
    )


def _site(name: str, table: Table) -> Site:
    """The site, after a check that its time zone exists."""
    site = Site(**table)
    _time_zone(site.time_zone, f"{name}.toml: time_zone of site {site.id}")
    return site


def _time_zone(zone: str, where: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:  # unknown; no path, as ""; a folder, as "Europe"
        raise ConfigError(
            f"{where} is {zone!r}, which is no IANA time zone", cure="use a name such as Europe/Berlin or Asia/Kolkata"
        ) from error
    return zone


def _demand(table: Table) -> Demand:
    return Demand(hourly=_scaled(table["hourly"]), weekday=_scaled(table["weekday"]), holiday=float(table["holiday"]))


def _staffing(name: str, table: Table) -> Staffing:
    """The role, after a check that its figures are valid."""
    role = Staffing(**_frozen(table))
    limits = {
        "aht_seconds": (role.aht_seconds > 0, "more than 0"),
        "hourly_cost": (role.hourly_cost > 0, "more than 0"),
        "share": (0 < role.share <= 1, "a share above 0, at most 1"),
        "service_level": (0 < role.service_level < 1, "a share between 0 and 1"),
        "shrinkage": (0 <= role.shrinkage < 1, "a share from 0 to below 1"),
        "within_seconds": (role.within_seconds >= 0, "0 or more"),
        "patience_seconds": (role.patience_seconds >= 0, "0 (contacts never abandon) or more"),
        "close_hour": (0 <= role.open_hour < role.close_hour <= 24, "an hour after open_hour, at most 24"),
        "break_minutes": (
            0 <= role.break_minutes < 60 * min(role.shift_hours, default=0),
            "less than the shortest shift",
        ),
        "least": (role.least >= 0, "0 or more"),
    }
    for field, (valid, expected) in limits.items():
        if not valid:
            raise ConfigError(f"{name}.toml: staffing.{field} is {getattr(role, field)}", cure=f"use {expected}")
    if role.missing_cost * (1 - role.shrinkage) <= role.hourly_cost:
        raise ConfigError(
            f"{name}.toml: staffing.missing_cost is {role.missing_cost}, not more than an hour of work costs",
            cure="use more than hourly_cost / (1 - shrinkage)",
        )
    return role


def _kind(table: Table) -> Kind:
    value = ValueSpec(**table.get("value", {}))
    attributes = tuple(_attribute(entry) for entry in table.get("attributes", ()))
    return Kind(name=table["name"], share=table["share"], unit=table["unit"], value=value, attributes=attributes)


def _attribute(table: Table) -> Attribute:
    return Attribute(**_frozen(table))


def _frozen(table: Table) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _scaled(numbers: list[float]) -> tuple[float, ...]:
    """The numbers scaled to a mean of 1."""
    mean = sum(numbers) / len(numbers)
    return tuple(number / mean for number in numbers)
