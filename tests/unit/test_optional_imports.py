"""A package is imported without some of its optional dependencies."""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from pathlib import Path

import pytest

from rtlib.optional_imports import without


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "unwanted_package.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "unwanted_package", raising=False)
    return "unwanted_package"


def test_a_package_counts_as_not_installed_in_the_block_only(package: str) -> None:
    with without(package), pytest.raises(ImportError):
        import_module(package)
    assert import_module(package)


def test_a_package_that_is_imported_already_stays(package: str) -> None:
    module = import_module(package)
    with without(package):
        assert import_module(package) is module


def test_another_thread_imports_it_meanwhile(package: str) -> None:
    with without(package):
        thread = threading.Thread(target=import_module, args=(package,))
        thread.start()
        thread.join()
    assert package in sys.modules
