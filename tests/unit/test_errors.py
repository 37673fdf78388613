"""Errors: each has a message, a cure, an exit code, and a place in the tree."""

from __future__ import annotations

import inspect

import pytest

from rtlib import errors
from rtlib.errors import ConfigError, EventRefused, RtlibError

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, RtlibError)]


def test_an_error_names_what_failed_and_the_cure() -> None:
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


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_has_a_failing_exit_code_and_documents_when_you_meet_it(cls: type[RtlibError]) -> None:
    assert 0 < cls.exit_code < 64
    assert cls is RtlibError or (cls.__doc__ or "").startswith("You meet it when")


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls is not RtlibError])
def test_every_error_is_in_the_tree_at_the_head_of_the_module(cls: type[RtlibError]) -> None:
    assert f"── {cls.__name__} " in (errors.__doc__ or "")


def test_no_error_shares_the_exit_code_of_an_unexpected_error() -> None:
    assert [cls.__name__ for cls in CLASSES if cls.exit_code == RtlibError.exit_code] == ["RtlibError"]
