"""Write dbt/seeds: the domains as tables, from their TOML files, and the holidays of their sites' countries.

Run it after changing a domain: ``.venv/bin/python scripts/write_dbt_seeds.py``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import holidays

from rtlib.domains import Domain, Kind, KpiSpec, domain_names, load_domain

FOLDER = Path(__file__).resolve().parents[1] / "dbt" / "seeds"
YEARS = range(2025, 2029)
Row = Sequence[object]


def seeds() -> dict[str, str]:
    """The text of each seed, by file name."""
    all_domains = [load_domain(name) for name in domain_names()]
    tables: dict[str, tuple[Row, Iterable[Row]]] = {
        "domains": (_DOMAIN_HEAD, (_domain(domain) for domain in all_domains)),
        "sites": (_SITE_HEAD, (row for domain in all_domains for row in _sites(domain))),
        "kinds": (_KIND_HEAD, (_kind(domain, kind) for domain in all_domains for kind in domain.kinds)),
        "measures": (_MEASURE_HEAD, (_measure(domain, kpi) for domain in all_domains for kpi in domain.kpis)),
        "measure_kinds": (
            _ROLE_HEAD,
            (row for domain in all_domains for kpi in domain.kpis for row in _roles(domain, kpi)),
        ),
        "holidays": (_HOLIDAY_HEAD, _holidays(site.country for domain in all_domains for site in domain.sites)),
    }
    return {f"{name}.csv": _csv([head, *rows]) for name, (head, rows) in tables.items()}


_DOMAIN_HEAD = (
    "domain", "title", "role", "contact_share", "aht_seconds", "service_level", "within_seconds", "shrinkage",
    "hourly_cost", "currency",
    "time_zone",
)  # fmt: skip
_SITE_HEAD = ("domain", "site", "title", "country", "time_zone")
_KIND_HEAD = ("domain", "kind", "unit", "is_staffed")
_MEASURE_HEAD = ("domain", "measure", "title", "unit", "aggregate", "direction", "warn", "critical", "plain")
_ROLE_HEAD = ("domain", "measure", "role", "kind")
_HOLIDAY_HEAD = ("country", "holiday_date", "holiday")


def _domain(domain: Domain) -> Row:
    staff = domain.staffing
    return (
        domain.name, domain.title, staff.title, staff.share, staff.aht_seconds, staff.service_level,
        staff.within_seconds, staff.shrinkage, staff.hourly_cost, staff.currency, domain.time_zone,
    )  # fmt: skip


def _sites(domain: Domain) -> Iterator[Row]:
    for site in domain.sites:
        yield domain.name, site.id, site.title, site.country, site.time_zone


def _kind(domain: Domain, kind: Kind) -> Row:
    return domain.name, kind.name, kind.unit, str(kind.name in domain.staffing.kinds).lower()


def _measure(domain: Domain, kpi: KpiSpec) -> Row:
    return (
        domain.name, kpi.name, kpi.title, kpi.unit, kpi.aggregate, kpi.direction, kpi.warn, kpi.critical, kpi.plain,
    )  # fmt: skip


def _roles(domain: Domain, kpi: KpiSpec) -> Iterator[Row]:
    """The kinds that a measure counts and, for a share, those of its denominator; an empty list means all kinds."""
    every = tuple(kind.name for kind in domain.kinds)
    roles = {"counted": kpi.kinds or every, "whole": (kpi.of or every) if kpi.aggregate == "share" else ()}
    for role, kinds in roles.items():
        for kind in kinds:
            yield domain.name, kpi.name, role, kind


def _holidays(countries: Iterable[str]) -> Iterator[Row]:
    for country in sorted(set(countries)):
        for day, name in sorted(holidays.country_holidays(country, years=YEARS, language="en_US").items()):
            yield country, day.isoformat(), name


def _csv(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in seeds().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
