"""Erlang C and A, compared with published figures, exact arithmetic and a simulated queue."""

from __future__ import annotations

import importlib
import json
import math
import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
import simpy
from typer.testing import CliRunner

from rtlib import cli
from rtlib.cli.common import print_json
from rtlib.errors import ConfigError
from rtlib.staffing import agents_needed, agents_needed_a, erlang_a, erlang_b, erlang_c, offered_load, p_wait

# --- published figures ----------------------------------------------------------------------------------------------

# Load in Erlangs, agents, mean handling time, target, the measure and its published value.
PUBLISHED = [
    # CRAN package ErlangC 0.1.0, README: 100 calls in 30 minutes of 180 s, 20 s. The figures
    # for 14 agents are also those of the package pyworkforce 0.1.0 (its page on PyPI).
    (10, 11, 180, 20, "p_wait", "0.6821182"),
    (10, 11, 180, 20, "service_level", "0.3896138"),
    (10, 14, 180, 20, "p_wait", "0.1741319"),
    (10, 14, 180, 20, "service_level", "0.88835"),
    (10, 14, 180, 20, "asa_seconds", "7.83593701177724"),
    (10, 14, 180, 20, "occupancy", "0.7142857"),
    # Cengage's spreadsheet Multiple Server Queueing Model (for Anderson, Sweeney and Williams): 10 arrivals an hour,
    # 12 served an hour; waiting times in hours.
    (10 / 12, 2, 1 / 12, 0, "p_wait", "0.245"),
    (10 / 12, 3, 1 / 12, 0, "p_wait", "0.058"),
    (10 / 12, 4, 1 / 12, 0, "p_wait", "0.011"),
    (10 / 12, 5, 1 / 12, 0, "p_wait", "0.002"),
    (10 / 12, 2, 1 / 12, 0, "asa_seconds", "0.018"),
    (10 / 12, 3, 1 / 12, 0, "asa_seconds", "0.002"),
    # Hillier and Lieberman, Introduction to Operations Research, the chapter on queueing, County Hospital: 2 patients
    # an hour, 3 treated an hour by each doctor; waiting times in hours, P(wait > t) as 1 - service level.
    (2 / 3, 1, 1 / 3, 0, "p_wait", "0.667"),
    (2 / 3, 2, 1 / 3, 0, "p_wait", "0.167"),
    (2 / 3, 1, 1 / 3, 0.5, "too_late", "0.404"),
    (2 / 3, 1, 1 / 3, 1, "too_late", "0.245"),
    (2 / 3, 2, 1 / 3, 1, "too_late", "0.003"),
    (2 / 3, 1, 1 / 3, 0, "asa_seconds", "0.667"),
    (2 / 3, 2, 1 / 3, 0, "asa_seconds", "0.042"),
    # Gross and Harris, Fundamentals of Queueing Theory, the eye clinic: 6 patients an hour, 3 doctors of 20 minutes
    # each; a mean wait of 8/54 of an hour, in minutes.
    (2, 3, 20, 0, "asa_seconds", "8.9"),
    # A printed table of Erlang C for trunked radio, from its worked example for TETRA: 5 % of calls are delayed with
    # 8 channels and 3.87 Erlangs, 1 % with 10 channels and 4.08 Erlangs.
    (3.87, 8, 1, 0, "p_wait", "0.05"),
    (4.08, 10, 1, 0, "p_wait", "0.01"),
]


@pytest.mark.parametrize(("load", "agents", "aht", "within", "what", "published"), PUBLISHED)
def test_erlang_c_agrees_with_published_figures_to_their_last_digit(
    load: float, agents: int, aht: float, within: float, what: str, published: str
) -> None:
    service = erlang_c(load, agents, aht_seconds=aht, within_seconds=within)
    computed = 1 - service.service_level if what == "too_late" else getattr(service, what)
    digits = len(published.partition(".")[2])
    assert abs(computed - float(published)) <= 0.5000001 * 10**-digits


def test_at_least_twenty_published_figures_are_compared() -> None:
    assert len(set(PUBLISHED)) >= 22


def test_the_agents_for_a_hundred_calls_in_half_an_hour_are_fourteen() -> None:
    load = offered_load(100, interval_minutes=30, aht_seconds=180)
    service = agents_needed(load, aht_seconds=180, target=0.8, within_seconds=20)
    assert (service.agents, round(service.service_level, 4), round(service.p_wait, 4)) == (14, 0.8884, 0.1741)


def test_erlang_a_agrees_with_published_figures() -> None:
    # The package pyworkforce's guide to Erlang A: 100 calls in 30 minutes of 3 minutes, 20 s, a patience of 5 minutes.
    service = agents_needed_a(10, aht_seconds=180, target=0.8, within_seconds=20, patience_seconds=300)
    assert service.agents == 13
    assert service.service_level == pytest.approx(0.8585, abs=0.0005)
    assert service.occupancy == pytest.approx(0.7505, abs=0.0005)
    assert service.abandoned == pytest.approx(0.0255, abs=0.0006)
    assert service.p_wait == pytest.approx(0.2265, abs=0.0008)
    assert service.asa_seconds / 60 == pytest.approx(0.1255, abs=0.0008)


# --- exact arithmetic -----------------------------------------------------------------------------------------------


def exactly(load: Fraction, agents: int) -> Fraction:
    """Erlang C as the textbook writes it, in fractions: no rounding anywhere."""
    last = load**agents / math.factorial(agents) * agents / (agents - load)
    return last / (sum(load**k / math.factorial(k) for k in range(agents)) + last)


@pytest.mark.parametrize("agents", [1, 2, 5, 17, 60, 200])
@pytest.mark.parametrize("occupancy", [Fraction(1, 10), Fraction(1, 2), Fraction(9, 10), Fraction(99, 100)])
def test_the_recursion_equals_the_formula_in_exact_fractions(agents: int, occupancy: Fraction) -> None:
    load = occupancy * agents
    assert p_wait(float(load), agents) == pytest.approx(float(exactly(load, agents)), rel=1e-11)


def chain(load: float, agents: int, patience: float, states: int = 4000) -> list[float]:
    """How many are in an M/M/n+M line, in the long run: births and deaths, in units of the handling time."""
    weights = [1.0]
    for state in range(1, states):
        leaving = min(state, agents) + max(0, state - agents) / patience
        weights.append(weights[-1] * load / leaving)
        if weights[-1] < 1e-300:
            break
    whole = math.fsum(weights)
    return [weight / whole for weight in weights]


@pytest.mark.parametrize(
    ("load", "agents", "patience"), [(10, 13, 1.7), (10, 8, 0.5), (0.3, 1, 2), (60, 55, 1), (5, 9, 40)]
)
def test_erlang_a_equals_the_births_and_deaths_behind_it(load: float, agents: int, patience: float) -> None:
    service = erlang_a(load, agents, aht_seconds=1, within_seconds=0.1, patience_seconds=patience)
    shares = chain(load, agents, patience)
    queue = math.fsum(max(0, state - agents) * share for state, share in enumerate(shares))
    assert service.p_wait == pytest.approx(math.fsum(shares[agents:]), rel=1e-6)
    assert service.abandoned == pytest.approx(queue / patience / load, rel=1e-6)
    assert service.asa_seconds == pytest.approx(queue / load, rel=1e-6)


def test_with_infinite_patience_erlang_a_is_erlang_c() -> None:
    patient = erlang_a(10, 14, aht_seconds=180, within_seconds=20, patience_seconds=1e8)
    endless = erlang_c(10, 14, aht_seconds=180, within_seconds=20)
    assert patient.service_level == pytest.approx(endless.service_level, abs=1e-5)
    assert patient.asa_seconds == pytest.approx(endless.asa_seconds, rel=1e-4)


def test_with_far_more_agents_than_load_nobody_waits() -> None:
    service = erlang_a(0.1, 200, aht_seconds=180, within_seconds=20, patience_seconds=60)
    assert (service.service_level, service.p_wait, service.abandoned) == (1.0, 0.0, 0.0)


def test_erlang_a_covers_an_overload() -> None:
    service = erlang_a(400, 350, aht_seconds=240, within_seconds=15, patience_seconds=200)
    assert service.abandoned == pytest.approx(1 - 350 / 400, abs=0.002)  # the fluid limit: what cannot be served leaves
    assert 0 < service.service_level < 0.3
    assert service.occupancy == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize("load", [0.05, 0.9, 3.3, 10, 47.5, 333.3])
def test_the_fewest_agents_are_enough_and_one_less_is_not(load: float) -> None:
    promise: dict[str, Any] = {"aht_seconds": 240, "within_seconds": 30}
    fewest = agents_needed(load, target=0.8, **promise).agents
    assert erlang_c(load, fewest, **promise).service_level >= 0.8
    assert erlang_c(load, fewest - 1, **promise).service_level < 0.8
    promise["patience_seconds"] = 120
    fewer = agents_needed_a(load, target=0.8, **promise).agents
    assert fewer <= fewest
    assert erlang_a(load, fewer, **promise).service_level >= 0.8
    assert erlang_a(load, fewer - 1, **promise).service_level < 0.8


def test_no_contacts_need_no_agents() -> None:
    assert agents_needed(0, aht_seconds=180, target=0.8, within_seconds=20).agents == 0
    assert agents_needed_a(0, aht_seconds=180, target=0.8, within_seconds=20, patience_seconds=60).agents == 0
    assert erlang_b(0, 3) == p_wait(0, 3) == 0


def test_an_overload_makes_every_contact_wait_without_end() -> None:
    service = erlang_c(10, 10, aht_seconds=180, within_seconds=20)
    assert (service.p_wait, service.service_level, service.asa_seconds, service.occupancy) == (1, 0, math.inf, 1)


# --- a simulated line -----------------------------------------------------------------------------------------------


def simulated(
    load: float, agents: int, within: float, patience: float | None, *, seed: int, contacts: int
) -> list[float]:
    """Shares taken in time, made to wait and lost, of one simulated line (times in units of the handling time)."""
    random_ = random.Random(seed)
    environment = simpy.Environment()
    desk = simpy.Resource(environment, agents)
    outcomes = []

    def contact() -> Iterator[simpy.Event]:
        arrived = environment.now
        with desk.request() as turn:
            gives_up = environment.timeout(random_.expovariate(1 / patience)) if patience else environment.event()
            yield turn | gives_up
            waited = environment.now - arrived
            outcomes.append((turn.triggered and waited <= within, waited > 0, not turn.triggered))
            if turn.triggered:
                yield environment.timeout(random_.expovariate(1))

    def arrivals() -> Iterator[simpy.Event]:
        for _ in range(contacts):
            yield environment.timeout(random_.expovariate(load))
            environment.process(contact())

    environment.process(arrivals())
    environment.run()
    settled = outcomes[len(outcomes) // 10 :]  # the line begins empty
    return [sum(column) / len(settled) for column in zip(*settled, strict=True)]


@pytest.mark.parametrize("patience", [None, 1.5])
def test_a_simulated_queue_agrees_within_its_confidence_interval(patience: float | None) -> None:
    runs = [simulated(10, 13, 1 / 9, patience, seed=seed, contacts=3000) for seed in range(12)]
    if patience is None:
        service = erlang_c(10, 13, aht_seconds=180, within_seconds=20)
    else:
        service = erlang_a(10, 13, aht_seconds=180, within_seconds=20, patience_seconds=patience * 180)
    for measured, expected in zip(
        zip(*runs, strict=True), (service.service_level, service.p_wait, service.abandoned), strict=True
    ):
        mean = sum(measured) / len(measured)
        spread = math.sqrt(sum((share - mean) ** 2 for share in measured) / (len(measured) - 1) / len(measured))
        assert abs(mean - expected) <= 3.11 * spread + 1e-12  # Student's t, 11 degrees of freedom, 99 %


def test_a_search_from_a_lower_bound_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    module = importlib.import_module("rtlib.staffing.erlang_a")  # the package exports the function of this name
    honest = module.erlang_a
    monkeypatch.setattr(module, "erlang_a", lambda *a, **k: (calls.append(a), honest(*a, **k))[1])
    promise = {"aht_seconds": 180, "target": 0.8, "within_seconds": 20, "patience_seconds": 300}
    fewest, cold, warm = 0, 0, 0
    for load in (0.0, 0.2, 3.0, 3.1, 9.8, 10.0, 10.1, 60.0):
        calls.clear()
        plain = agents_needed_a(load, **promise)
        cold += len(calls)
        calls.clear()
        assert agents_needed_a(load, **promise, fewest=fewest) == plain
        warm += len(calls)
        fewest = plain.agents
    assert warm < cold


# --- arguments and the verb -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--calls", "-1", "--aht", "180"), "-1.0 contacts"),
        (("--calls", "100", "--aht", "0"), "cannot take 0 s"),
        (("--calls", "100", "--aht", "180", "--interval-minutes", "0"), "0.0 minutes"),
        (("--calls", "100", "--aht", "180", "--target", "1"), "service level of 1.0"),
        (("--calls", "100", "--aht", "180", "--within", "-5"), "-5.0 s"),
        (("--calls", "100", "--aht", "180", "--patience", "0"), "patience of 0.0"),
        (("--calls", "100", "--aht", "180", "--shrinkage", "1"), "shrinkage of 1.0"),
        (("--calls", "nan", "--aht", "180"), "not a finite number"),
        (("--calls", "100", "--aht", "180", "--interval-minutes", "inf"), "not a finite number"),
        (("--calls", "100", "--aht", "180", "--within", "nan"), "nan s"),
        (("--calls", "100", "--aht", "180", "--patience", "nan"), "patience of nan"),
        (("--calls", "1e5", "--aht", "180", "--interval-minutes", "0.001"), "300,000,000 Erlangs"),
    ],
)
def test_an_impossible_figure_is_named(words: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(cli.app, ["staffing", "erlang", *words])
    assert isinstance(done.exception, ConfigError)
    assert message in str(done.exception)
    assert done.exception.cure


@pytest.mark.parametrize("calls", ["inf", "1e9"])
def test_too_many_calls_are_not_blamed_on_the_handling_time(calls: str) -> None:
    done = CliRunner().invoke(cli.app, ["staffing", "erlang", "--calls", calls, "--aht", "180"])
    assert isinstance(done.exception, ConfigError)
    assert done.exception.cure == "use at most 5,555,556 contacts"


def test_json_has_null_for_an_infinite_number(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"wape": math.nan, "sites": [{"asa": math.inf, "mae": 1.5}], "pair": (math.nan, 1)})
    assert capsys.readouterr().out == '{"wape": null, "sites": [{"asa": null, "mae": 1.5}], "pair": [null, 1]}\n'


def test_the_command_prints_a_json_object() -> None:
    words = "staffing erlang --calls 100 --interval-minutes 30 --aht 180 --target 0.8 --within 20 --json"
    output = json.loads(CliRunner().invoke(cli.app, words.split()).output)
    assert (output["agents"], round(output["service_level"], 4), round(output["p_wait"], 4)) == (14, 0.8884, 0.1741)
    assert output["asa_seconds"] == pytest.approx(7.836, abs=0.001)
    assert output["occupancy"] == pytest.approx(10 / 14)
    assert (output["load_erlangs"], output["model"], output["rostered"]) == (10, "C", 14)


def test_the_command_prints_text_with_patience_and_shrinkage() -> None:
    words = "staffing erlang --calls 100 --aht 180 --patience 300 --shrinkage 0.3"
    shown = CliRunner().invoke(cli.app, words.split()).output
    assert "13 agents for 10.00 Erlangs; 19 on shift" in shown
    assert "abandoned 2.5%" in shown
