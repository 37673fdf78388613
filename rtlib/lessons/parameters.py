"""Parameters: what the parameters of every lesson accept, and their check in the lesson's first cells.

A wrong value, such as papermill's ``-p per_day many``, ends in one sentence there instead of an error deep inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rtlib.config import DOMAINS
from rtlib.errors import ConfigError
from rtlib.lessons.parameter_types import Choice, Duration, Flag, NumberChoice, Parameter, WholeNumber

MAX_SHOWN = 60  # characters of a wrong value in the message
MAX_SEED = 2**32 - 1


def _faults() -> Sequence[str]:
    from rtlib.faults import MENU

    return list(MENU)


def _components() -> Sequence[str]:
    from rtlib.components import ARCHITECTURE_COMPONENTS_LIST

    return [component.id for component in ARCHITECTURE_COMPONENTS_LIST if not component.planned]


def _levels() -> Sequence[str]:
    from rtlib.pipeline.explanations.explainer import Level

    return [str(level) for level in Level]


def _languages() -> Sequence[str]:
    from rtlib.pipeline.explanations.explainer import languages

    return tuple(languages())


def _report_pages() -> Sequence[str]:
    from rtlib.bi import PAGES

    return [page.name for page in PAGES]


def _domains() -> Sequence[str]:
    return DOMAINS


_DOMAIN = Choice(_domains, none="the domain of the running stack")
_SEED = WholeNumber(0, MAX_SEED)
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    "00_start": {"wait_seconds": WholeNumber(1, 3_600)},
    "01_kafka": {"orders": WholeNumber(3, 10_000)},
    "02_spark": {"delay": Duration(3_600), "measure_batches": WholeNumber(2, 100)},
    "03_speed_layer": {"rows": WholeNumber(1, 1_000_000)},
    "04_break_it": {"first_fault": Choice(_faults), "second_fault": Choice(_faults), "seed": _SEED},
    "05_dbt": {"days": WholeNumber(1, 366)},
    "06_forecasts": {
        "domain_name": _DOMAIN,
        "interval_minutes": NumberChoice((5, 10, 15, 30, 60)),  # multiples of the bank's five-minute counts
        "backtest_days": WholeNumber(2, 120),
        "workers": WholeNumber(1, 64),
    },
    "07_staffing": {"domain_name": _DOMAIN, "per_day": WholeNumber(1_000, 1_000_000), "seed": _SEED},
    "08_alerts": {"surge": Flag(), "seed": _SEED},
    "09_explain": {"part": Choice(_components), "level": Choice(_levels), "language": Choice(_languages)},
    "10_bi": {"page_name": Choice(_report_pages)},
}


def parameters(lesson: str, **values: Any) -> Any:
    """Check the parameters of a lesson and convert them: text to numbers, names to their usual spelling.

    Args:
        lesson: The lesson's name, for example ``05_dbt``.
        values: The parameters by name.

    Returns:
        The converted value, or a tuple of them in the given order if there are several.

    Raises:
        ConfigError: A value is not accepted; the message says which values are.

    Example:
        >>> parameters("05_dbt", days="7")
        7
    """
    checked = tuple(_checked(lesson, name, value) for name, value in values.items())
    return checked if len(checked) > 1 else checked[0]


def _checked(lesson: str, name: str, value: object) -> Any:
    parameter = PARAMETERS[lesson][name]
    try:
        return parameter.read(value)
    except (ValueError, KeyError, OverflowError):
        shown = repr(value)
        shown = shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}…"
        command = f"papermill {lesson}.ipynb done.ipynb -p {name} {parameter.example(value)}"
        cure = f"change it in the parameters cell, or: {command}"
        raise ConfigError(f"{name} must be {parameter.accepts}, not {shown}", cure=cure) from None
