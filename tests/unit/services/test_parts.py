"""Parts: an entry in the catalogue gives a process its program, health check, memory limit and role in recovery."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rtlib.config import DOMAINS, Settings
from rtlib.errors import ConfigError
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.workers.run import run_part
from rtlib.services import parts, processes, supervisor
from rtlib.services.parts import BY_NAME, PART_NAMES, PARTS, PROMISED_MB, Part, consumer_group, known_part, programs
from rtlib.services.status import status
from rtlib.streaming.queries import QUERIES

JARS = {"kafka": (Path("kafka.jar"),), "registry": (Path("runner.jar"),)}


def command_of(name: str, settings: Settings) -> tuple[str, ...]:
    every = {program.name: program for program in programs(settings, java=Path("java"), jars=JARS)}
    return every[name].command


def test_every_part_has_a_program_and_a_health_check(tmp_path: Path) -> None:
    every = programs(Settings(home=tmp_path), java=Path("java"), jars=JARS)
    assert [program.name for program in every] == list(PART_NAMES)
    assert list(health.checks()) == list(PART_NAMES)


def test_every_worker_has_a_function_and_nothing_else_has_one() -> None:
    with pytest.raises(ConfigError) as refused:
        run_part("no such worker", Settings())
    functions = refused.value.cure.partition(": ")[2].split(", ")
    assert set(functions) == {part.name for part in PARTS if part.is_worker}


def test_a_worker_is_run_by_the_command_line(tmp_path: Path) -> None:
    assert command_of("loader", Settings(home=tmp_path)) == (sys.executable, "-m", "rtlib", "run", "loader")


def test_a_new_part_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = Part("extra", {"laptop": 200, "small": 100}, heartbeats=("extra",), stop_seconds=30, restart=False)
    for module in (parts, health):
        monkeypatch.setattr(module, "PARTS", (*PARTS, extra))
    (program,) = (
        program
        for program in programs(Settings(home=tmp_path), java=Path("java"), jars=JARS)
        if program.name == "extra"
    )
    config = supervisor.write_config(Settings(home=tmp_path), [program], environment={}).read_text()
    assert "[program:extra]" in config and "autorestart=false" in config and "stopwaitsecs=30" in config
    assert "extra" in health.checks()


def test_the_streaming_application_has_a_heartbeat_for_each_query() -> None:
    assert set(BY_NAME["stream"].heartbeats) == set(QUERIES)


def test_each_domain_has_consumer_groups_of_its_own() -> None:
    groups = {consumer_group(Settings(domain=domain), "loader") for domain in DOMAINS}  # type: ignore[arg-type]
    assert groups == {f"rtlib.{domain}.loader" for domain in DOMAINS}


@pytest.mark.parametrize(
    ("name", "elsewhere"),
    [
        ("broker", {"kafka_bootstrap_servers": "broker:9092"}),
        ("registry", {"registry_url": "http://registry/v7"}),
        ("warehouse", {"snowflake_account": "acme"}),
        ("receiver", {"teams_webhook_url": "https://teams.example.com/x"}),
    ],
)
def test_a_server_that_runs_elsewhere_is_not_started_here(tmp_path: Path, name: str, elsewhere: dict[str, str]) -> None:
    settings = Settings(home=tmp_path, **elsewhere)  # type: ignore[arg-type]
    started = {program.name for program in programs(settings, java=Path("java"), jars=JARS)}
    assert set(PART_NAMES) - started == {name}


def test_an_unknown_part_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="there is no part 'engine'") as refused:
        known_part("engine")
    assert "use one of: broker" in refused.value.cure


@pytest.mark.parametrize("profile", PROMISED_MB)
def test_the_limits_of_all_parts_together_are_within_the_profile(profile: str) -> None:
    assert sum(part.memory_mb[profile] for part in PARTS) <= PROMISED_MB[profile]


def test_the_status_names_the_part_that_is_over_its_memory_and_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = {name: supervisor.PartState(name, "RUNNING", 1, 0.0, "") for name in ("broker", "stream")}
    limits = {name: BY_NAME[name].memory_mb["laptop"] for name in running}
    sizes = {"broker": limits["broker"], "stream": limits["stream"] + 200.0}
    monkeypatch.setattr(supervisor, "states", lambda settings: running)
    monkeypatch.setattr(processes, "resident_megabytes", lambda home: sizes)
    broker, stream = status(Settings(home=tmp_path), checks=dict.fromkeys(running, lambda settings: "answers")).parts
    assert (broker.healthy, broker.over_memory, broker.detail) == (True, False, "answers")
    assert (stream.healthy, stream.over_memory, stream.limit_mb) == (True, True, limits["stream"])
    assert "over its memory, 1,380 of 1,180 MB" in stream.detail
    assert "rtlib restart stream" in stream.detail
    assert stream.peak_mb == sizes["stream"]
