"""Workers are found by name, and a process loads only its own worker."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.pipeline.workers.run import WORKERS, run_part, worker

HEAVY = ("ipywidgets", "matplotlib", "prophet", "pyspark", "statsmodels")
FOREIGN = {
    "receiver": (
        *HEAVY,
        "confluent_kafka",
        "kafka",
        "numpy",
        "pandas",
        "rtlib.explain",
        "rtlib.graph",
        "rtlib.warehouse",
    ),
    "simulator": (*HEAVY, "pandas", "snowflake", "rtlib.explain", "rtlib.graph", "rtlib.warehouse"),
    "loader": (*HEAVY, "rtlib.explain", "rtlib.graph", "rtlib.simulator"),
    "alerts": (*HEAVY, "rtlib.explain", "rtlib.graph", "rtlib.simulator"),
}


@pytest.mark.parametrize("name", WORKERS)
def test_every_worker_can_be_imported_by_its_name(name: str) -> None:
    assert worker(name).__name__ == f"run_{name}"


def test_an_unknown_worker_is_refused_with_the_known_names() -> None:
    with pytest.raises(ConfigError, match="there is no worker 'broker'") as refused:
        run_part("broker", Settings())
    assert all(name in refused.value.cure for name in WORKERS)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_worker_does_not_load_the_packages_of_others(name: str) -> None:
    code = f"import sys; from rtlib.pipeline.workers.run import worker; worker({name!r}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & set(FOREIGN[name])
