"""The fault menu: each fault says what to expect, its seed chooses the details, and it hurts only what is ours."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.alerts.rules import rules_of
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.config import Settings
from rtlib.domains import domain_names, load_domain
from rtlib.domains.measures import measures
from rtlib.errors import ConfigError, ServiceError
from rtlib.faults import MENU, plan
from rtlib.faults.inject import goes_on_in_any_case, inject
from rtlib.faults.soak import GROWTH, Sample, Soak, _growth, schedule
from rtlib.ledger import Ledger
from rtlib.services.parts import PART_NAMES
from rtlib.simulator import Simulator

CURBSIDE = load_domain("curbside")


def good_ledger() -> Ledger:
    """One of which everything agrees."""
    counts = dict.fromkeys(Ledger.__dataclass_fields__, 0)
    nothing: dict[str, Any] = {"lost_events": (), "doubled_events": (), "differences": (), "running": False}
    return Ledger(**{**counts, **nothing, "records_sent": 9})


@pytest.mark.parametrize("name", MENU)
def test_a_fault_names_a_node_a_part_and_what_to_expect(name: str) -> None:
    fault = MENU[name]
    assert fault.component in {one.id for one in ARCHITECTURE_COMPONENTS_LIST}
    assert (fault.way == "burst") == (fault.part is None)
    assert fault.part is None or fault.part in PART_NAMES
    assert len(fault.expect) > 100
    assert fault.expect.endswith(".")


@pytest.mark.parametrize("name", MENU)
def test_the_same_seed_makes_the_same_fault(name: str) -> None:
    assert plan(name, seed=4, domain=CURBSIDE) == plan(name, seed=4, domain=CURBSIDE)


@pytest.mark.parametrize("name", ["pause-broker", "slow-sink", "duplicate-storm", "hot-partition", "kill-spark"])
def test_other_seeds_make_other_faults(name: str) -> None:
    assert len({repr(plan(name, seed=seed, domain=CURBSIDE).details) for seed in range(20)}) > 1


@pytest.mark.parametrize("domain", domain_names())
@pytest.mark.parametrize("name", [one.name for one in MENU.values() if one.way == "burst"])
def test_a_burst_is_something_the_simulator_can_play(name: str, domain: str) -> None:
    world = dict(plan(name, seed=2, domain=load_domain(domain)).details)
    seconds = world.pop("seconds")
    simulator = Simulator(load_domain(domain), seed=2, start=datetime(2026, 1, 5, tzinfo=UTC), shaped=False, **world)
    assert next(simulator.records()).key in {one.id for one in load_domain(domain).sites}
    assert seconds <= 130
    assert world["rate"] * seconds <= 20_000


@pytest.mark.parametrize("domain", domain_names())
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_surge_breaks_one_rule_of_its_domain_at_one_site_and_no_other(domain: str, seed: int) -> None:
    world = load_domain(domain)
    details = dict(plan("surge", seed=seed, domain=world).details)
    details.pop("seconds")
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    events = [
        one.event for one in islice(Simulator(world, seed=seed, start=start, shaped=False, **details).records(), 9_000)
    ]
    broken = set()
    for site in world.sites:
        seen = measures(world, [one for one in events if one is not None and one.site == site.id])
        values = [(rule.name, rule, seen.get(rule.measure)) for rule in rules_of(world)]
        broken |= {(site.id, name) for name, rule, value in values if value is not None and rule.is_bad(value)}
    assert [site for site, _ in broken] == [details["hot_site"]]


def test_a_fault_that_is_misspelt_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean kill-broker"):
        plan("kill-brokr", seed=1, domain=CURBSIDE)


def test_a_part_that_does_not_run_here_cannot_be_hurt(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for name in ("kill-broker", "pause-broker", "slow-sink"):
        with pytest.raises(ServiceError, match="is not running here"):
            inject(settings, plan(name, seed=1, domain=CURBSIDE), stop=threading.Event())


def test_a_soak_has_different_faults_in_order_and_leaves_its_end_in_peace(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    moments = schedule(settings, seed=3, seconds=100, faults=6)
    assert moments == schedule(settings, seed=3, seconds=100, faults=6)
    assert moments != schedule(settings, seed=4, seconds=100, faults=6)
    assert [at for at, _ in moments] == sorted(at for at, _ in moments)
    assert all(5 <= at <= 80 for at, _ in moments)
    assert len({chosen.fault.name for _, chosen in moments}) == 6


def test_a_number_that_doubles_between_middle_and_end_has_grown() -> None:
    assert _growth([1, 1, 1, 10, 10, 10, 20, 20, 20]) == 2.0 > GROWTH
    assert _growth([0, 0, 0, 10, 10, 10, 10, 11, 10]) == 1.0


def test_a_soak_whose_state_outgrows_its_bound_does_not_hold() -> None:
    samples = tuple(Sample(float(at), 100.0, 10 * at) for at in range(1, 31))
    held = Soak(1, 30, (), samples, 300, good_ledger())
    assert held.holds
    assert not replace(held, state_bound=299).holds


def test_a_soak_whose_memory_grows_does_not_hold() -> None:
    samples = tuple(Sample(float(at), 100.0 * at, 10) for at in range(1, 31))
    assert not Soak(1, 30, (), samples, 300, good_ledger()).holds


STOPPER = """
import sys, time, psutil
from rtlib.faults.inject import goes_on_in_any_case
victim = psutil.Process(int(sys.argv[1]))
with goes_on_in_any_case(victim):
    victim.suspend()
    print("stopped", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def victim() -> Iterator[psutil.Process]:
    with subprocess.Popen((sys.executable, "-c", "import time; time.sleep(600)")) as child:
        yield psutil.Process(child.pid)
        child.kill()


@retry(retry=retry_if_result(lambda ok: not ok), wait=wait_fixed(0.05), stop=stop_after_delay(20))
def until_it_is(process: psutil.Process, *, stopped: bool) -> bool:
    return (process.status() == psutil.STATUS_STOPPED) is stopped


def test_a_stopped_process_goes_on_when_the_fault_is_over(victim: psutil.Process) -> None:
    with goes_on_in_any_case(victim):
        victim.suspend()
        assert until_it_is(victim, stopped=True)
    assert until_it_is(victim, stopped=False)


def test_a_stopped_process_goes_on_though_the_one_that_stopped_it_is_killed(victim: psutil.Process) -> None:
    command = (sys.executable, "-c", STOPPER, str(victim.pid))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stopper:
        assert stopper.stdout is not None
        assert stopper.stdout.readline() == "stopped\n"
        assert until_it_is(victim, stopped=True)
        stopper.kill()
    assert until_it_is(victim, stopped=False)
