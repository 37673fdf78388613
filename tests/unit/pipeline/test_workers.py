"""Workers are found by name, and a process loads only its own worker."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from rtlib.config import Settings
from rtlib.errors import ConfigError, RtlibError, ServiceError, WarehouseDamaged, WarehouseUnreachable
from rtlib.pipeline.workers.run import WORKERS, run_part, run_until, worker

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


@pytest.mark.parametrize("away", [WarehouseUnreachable("no answer"), WarehouseDamaged("the file is damaged")])
def test_a_worker_begins_anew_in_its_process_while_the_warehouse_is_away(away: RtlibError) -> None:
    runs: list[Settings] = []

    def run(settings: Settings, stop: threading.Event) -> None:
        runs.append(settings)
        if len(runs) < 2:
            raise away
        stop.set()

    settings = Settings()
    run_until(threading.Event(), run, settings)
    assert runs == [settings, settings]


def test_a_worker_that_is_to_stop_does_not_wait_for_the_warehouse() -> None:
    def run(settings: Settings, stop: threading.Event) -> None:
        stop.set()
        raise WarehouseUnreachable("no answer")

    run_until(threading.Event(), run, Settings())


def test_another_error_ends_a_worker() -> None:
    def run(settings: Settings, stop: threading.Event) -> None:
        raise ServiceError("no broker")

    with pytest.raises(ServiceError, match="no broker"):
        run_until(threading.Event(), run, Settings())


@pytest.mark.parametrize("name", FOREIGN)
def test_a_worker_does_not_load_the_packages_of_others(name: str) -> None:
    code = f"import sys; from rtlib.pipeline.workers.run import worker; worker({name!r}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & set(FOREIGN[name])
