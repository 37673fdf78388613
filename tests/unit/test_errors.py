from __future__ import annotations

import inspect

import pytest

from rtlib import errors
from rtlib.errors import ConfigError, EventRefused, RtlibError

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, RtlibError)]


def test_an_error_says_what_failed_and_the_cure() -> None:
    error = ConfigError("port 1 is busy", cure="use another")
    assert (error.what, error.cure) == ("port 1 is busy", "use another")
    assert str(error) == "port 1 is busy\n  Cure: use another"


def test_an_error_without_a_cure_is_one_line() -> None:
    assert str(ConfigError("port 1 is busy")) == "port 1 is busy"


def test_a_refused_event_names_the_field_at_fault() -> None:
    error = EventRefused("is not a number", field="attributes.items")
    assert error.what == "attributes.items: is not a number"
    assert (error.reason, error.field) == ("is not a number", "attributes.items")
    assert EventRefused("is not JSON").what == "is not JSON"


@pytest.mark.parametrize("one", CLASSES)
def test_every_error_ends_with_a_code_that_is_not_success_and_says_when_you_meet_it(one: type[RtlibError]) -> None:
    assert 0 < one.exit_code < 64
    assert one is RtlibError or (one.__doc__ or "").startswith("You meet it when")


@pytest.mark.parametrize("one", [one for one in CLASSES if one is not RtlibError])
def test_every_error_is_in_the_tree_at_the_head_of_the_module(one: type[RtlibError]) -> None:
    assert f"── {one.__name__} " in (errors.__doc__ or "")


def test_no_error_ends_like_an_unexpected_one() -> None:
    assert [one.__name__ for one in CLASSES if one.exit_code == RtlibError.exit_code] == ["RtlibError"]
