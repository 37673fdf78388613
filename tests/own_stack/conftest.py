"""Fixtures of the tests that start a stack of their own."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(no_settings_of_the_developer: None) -> None:
    """For every test of this folder."""
