"""The stack: start, failure and stop, with a real supervisor and cheap programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rtlib import graph
from rtlib.app import demo, lifecycle
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.config import RUN_OPTIONS, Settings, load_settings
from rtlib.errors import ConfigError, RegistryDamaged, ServiceError, WarehouseDamaged
from rtlib.run_state import is_running, load_options, save_options
from rtlib.services import health_wait, logs, ports, processes, restarts, stack, state_folder, supervisor
from rtlib.services.java import Java
from rtlib.services.logs import tail_log
from rtlib.services.status import status
from rtlib.services.supervisor import Program
from support.stack import call_rtlib, clean_environment, running_for, running_supervisor, until

WAITS = Program("simulator", (sys.executable, "-c", "import signal; signal.pause()"))
FAILS = Program("simulator", (sys.executable, "-c", "print('RTLIB_RATE: no such rate'); raise SystemExit(2)"))
# Ends at the first SIGTERM, but slowly.
ENDS_SLOWLY = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(2), sys.exit(0))); "
    "print('ready', flush=True); [signal.pause() for _ in iter(int, 1)]"
)
LINGERS = Program("simulator", (sys.executable, "-c", ENDS_SLOWLY))
# Ends once the other program has received SIGTERM as well, while the server still runs.
ENDS_WITH_OTHER = """
import os, pathlib, signal, sys, time
me, other = (pathlib.Path(os.environ["RTLIB_HOME"]) / name for name in sys.argv[1:])
def end(*_):
    me.touch()
    while not other.exists():
        time.sleep(0.01)
    time.sleep(0.5)
    os.kill(int((me.parent / "server").read_text()), 0)
    print("ended well", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    signal.pause()
"""
SERVER = "import os, pathlib, signal; pathlib.Path(os.environ['RTLIB_HOME'], 'server').write_text(str(os.getpid()))"


@pytest.fixture(autouse=True)
def no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RTLIB_")]:
        monkeypatch.delenv(name)


def refuses(settings: Settings) -> str:
    raise ServiceError("the simulator has not started yet")


# --- failures ---


def test_a_part_that_keeps_ending_is_given_up_with_its_last_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_wait, "MAX_STARTS", 2)  # the supervisor waits longer before each start
    with running_supervisor(FAILS) as settings:
        began = time.monotonic()
        with pytest.raises(ServiceError, match="simulator does not answer and has ended 2 times") as failed:
            health_wait.wait_healthy(settings, "simulator", refuses, until=began + 200, notify=lambda line: None)
        assert time.monotonic() - began < 60
    assert "RTLIB_RATE: no such rate" in str(failed.value)


def test_a_running_part_without_an_answer_is_awaited_until_the_timeout() -> None:
    with (
        running_supervisor(WAITS) as settings,
        pytest.raises(ServiceError, match="simulator does not answer: the simulator"),
    ):
        health_wait.wait_healthy(settings, "simulator", refuses, until=time.monotonic() + 1, notify=lambda line: None)


DAMAGED = WarehouseDamaged("the warehouse's file is damaged: RAW.EVENTS", cure=WarehouseDamaged.CURE)


def is_damaged(settings: Settings) -> str:
    raise DAMAGED


def test_a_damaged_warehouse_file_ends_the_wait_and_its_cure_is_in_the_status() -> None:
    with running_supervisor(WAITS) as settings:
        until(lambda: supervisor.states(settings)["simulator"].state == "RUNNING", seconds=20)
        with pytest.raises(WarehouseDamaged):
            health_wait.wait_healthy(
                settings, "simulator", is_damaged, until=time.monotonic() + 10_000, notify=lambda line: None
            )
        (part,) = status(settings, checks={"simulator": is_damaged}).parts
    assert not part.healthy
    assert part.detail == "the warehouse's file is damaged: RAW.EVENTS; cure: rtlib rebuild warehouse"


NO_TABLE = (
    "ERROR io.qu.ru.Application Failed to start application\\n"
    "Caused by: org.h2.jdbc.JdbcSQLSyntaxErrorException: Table VERSIONS not found"
)
STORE_TORN = Program("registry", (sys.executable, "-c", f"print('{NO_TABLE}'); raise SystemExit(1)"))


def test_a_registry_whose_store_is_damaged_is_not_waited_for_and_its_cure_is_in_the_status() -> None:
    with running_supervisor(STORE_TORN) as settings:
        with pytest.raises(RegistryDamaged, match=r"store\.mv\.db is damaged") as damaged:
            health_wait.wait_healthy(
                settings, "registry", refuses, until=time.monotonic() + 10_000, notify=lambda line: None
            )
        report = until(lambda: restarts.loops(settings) and status(settings, checks={"registry": refuses}), seconds=60)
    assert report.parts[0].detail == f"{damaged.value.what}; cure: {damaged.value.cure}"


def test_an_earlier_damage_in_the_log_does_not_end_a_start() -> None:
    with running_supervisor(replace(WAITS, name="registry")) as settings:
        log = logs.path(settings, "registry")
        log.write_text(NO_TABLE.replace("\\n", "\n"))
        with pytest.raises(ServiceError, match="registry does not answer"):
            health_wait.wait_healthy(
                settings, "registry", refuses, until=time.monotonic() + 1, notify=lambda line: None
            )


# --- small files that a power cut tore -------------------------------------------------------------------------------


def test_a_stack_with_torn_files_says_what_is_wrong_and_can_be_stopped() -> None:
    names = ("run/supervisord.conf", "run.json", "ports.json", "secrets.json", "tally/curbside/1.json")
    with running_supervisor(WAITS) as settings:
        for name in names:
            path = settings.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\xff\xfe\x00")  # not even text
        status = call_rtlib(settings.home, "status")
        assert (status.returncode, "Traceback" in status.stderr) == (2, False)
        assert "ports.json is not JSON with a port for each part" in status.stderr
        assert "Cure: rtlib down && rtlib up" in status.stderr
        down = call_rtlib(settings.home, "down")
        assert (down.returncode, down.stdout) == (0, "the stack is stopped\n")
        ports.choose(settings)  # as the next start does
        status = call_rtlib(settings.home, "status")
    assert (status.returncode, "the stack is not running; start it with: rtlib up" in status.stdout) == (1, True)


# --- what was begun is ended -----------------------------------------------------------------------------------------


def test_a_closed_standard_error_does_not_interrupt_the_work() -> None:
    read, write = os.pipe()
    os.close(read)
    program = "from rtlib.cli.common import say; say('stopping'); say('the parts'); print('they are stopped')"
    done = subprocess.run([sys.executable, "-c", program], stderr=write, stdout=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stdout) == (0, "they are stopped\n")


DEMO = """
import signal, sys
from pathlib import Path
from rtlib.app import lifecycle
from rtlib.cli.common import say
from rtlib.config import load_settings

lifecycle.start = lambda settings, chosen, notify, idle: True  # the test has started it
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be masked in the test runner
sys.stdin.isatty() and __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0)
with lifecycle.running_stack(load_settings(), {}, notify=say):
    say("running")
    while True:
        signal.pause()
"""


def test_a_closed_terminal_ends_the_whole_stack() -> None:
    import pty

    with running_supervisor(WAITS) as settings:
        terminal, child_end = pty.openpty()
        running = subprocess.Popen(
            [sys.executable, "-c", DEMO],
            stdin=child_end, stdout=child_end, stderr=child_end,
            env=clean_environment(settings.home), start_new_session=True,
        )  # fmt: skip
        os.close(child_end)
        output = b""
        while b"running" not in output:
            output += os.read(terminal, 1000)
        os.close(terminal)
        running.wait(timeout=60)
        assert running_for(settings.home) == []
        assert not is_running(settings.home)


def test_parts_that_need_a_server_stop_together_and_before_it(tmp_path: Path) -> None:
    server = Program("broker", (sys.executable, "-c", f"{SERVER}; print('ready', flush=True); signal.pause()"), layer=0)
    script = tmp_path / "ends_with_other.py"
    script.write_text(ENDS_WITH_OTHER)
    names = ("stream", "loader")
    both = [Program(me, (sys.executable, str(script), me, other)) for me, other in (names, names[::-1])]
    with running_supervisor(server, *both) as settings:
        started = ("broker", *names)
        until(lambda: all(tail_log(settings, name, 1) == ["ready"] for name in started), seconds=30)
        assert stack.down(settings, notify=lambda line: None)
        assert [tail_log(settings, name, 1) for name in names] == [["ended well"], ["ended well"]]


def test_a_stack_that_shuts_down_is_reported_and_a_second_down_waits_for_its_end() -> None:
    with running_supervisor(LINGERS) as settings:
        until(lambda: "ready" in tail_log(settings, "simulator", 1), seconds=30)
        supervisor.shut_down(settings)
        with pytest.raises(ServiceError, match="the stack is shutting down"):
            supervisor.states(settings)
        assert stack.down(settings, notify=lambda line: None)
        assert running_for(settings.home) == []


def test_repeated_ctrl_c_does_not_prevent_the_shutdown() -> None:
    with running_supervisor(LINGERS) as settings:
        until(lambda: "ready" in tail_log(settings, "simulator", 1), seconds=30)
        save_options(settings.home, {"domain": "iot"})
        running = subprocess.Popen(
            [sys.executable, "-c", DEMO],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=clean_environment(settings.home), text=True,
        )  # fmt: skip
        assert running.stderr is not None
        assert running.stderr.readline() == "running\n"
        running.send_signal(signal.SIGINT)
        assert running.stderr.readline() == "stopping the parts\n"

        def ended_despite_interrupt() -> bool:
            running.send_signal(signal.SIGINT)
            return running.poll() is not None

        until(ended_despite_interrupt, seconds=60)
        running.stderr.close()
        assert running_for(settings.home) == []
        assert load_options(settings.home) == {}


def test_signals_work_again_after_an_undisturbed_section() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be masked in the test runner
    with processes.undisturbed():
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


# --- the state of a running stack is protected ---


def test_the_state_is_not_emptied_while_a_part_outlives_its_supervisor() -> None:
    with running_supervisor(WAITS) as settings:
        until(lambda: supervisor.states(settings)["simulator"].state == "RUNNING", seconds=20)
        pid = supervisor.supervisor_pid(settings)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_running(settings.home), seconds=10)
        with pytest.raises(ServiceError, match=r"is running \(simulator\)") as refused:
            state_folder.reset(settings)
        assert "rtlib down" in refused.value.cure
        assert (settings.home / "logs").exists()
        assert stack.down(settings, notify=lambda line: None)
        state_folder.reset(settings)
        assert list(settings.home.iterdir()) == []


def test_the_state_is_not_emptied_while_a_stack_runs_below_it(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    program = "import sys; sys.stdin.read()"  # with the command line of a supervisor
    command = (
        sys.executable,
        "-c",
        program,
        "supervisor.supervisord",
        "-c",
        str(tmp_path / "bench/run/supervisord.conf"),
    )
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        until(lambda: tmp_path / "bench" in processes.running_homes(), seconds=30)
        with pytest.raises(ServiceError, match="bench"):
            state_folder.reset(Settings(home=tmp_path))
        process.communicate()
    assert (tmp_path / "logs").exists()


def test_without_a_terminal_reset_needs_an_explicit_yes(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    refused = call_rtlib(tmp_path, "reset")
    assert refused.returncode == 2
    assert "rtlib reset --yes" in refused.stderr
    assert (tmp_path / "logs").exists()
    assert call_rtlib(tmp_path, "reset", "--yes").returncode == 0
    assert not (tmp_path / "logs").exists()


# --- options of a running stack ---


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder laid out for a stack of the domain iot, chosen by a variable of the first terminal."""
    for name in ("prepare_broker", "prepare_registry", "_write_supervisor_config"):
        monkeypatch.setattr(state_folder, name, lambda *args, **kwargs: None)
    monkeypatch.setenv("RTLIB_DOMAIN", "iot")
    monkeypatch.setenv("RTLIB_WINDOW_SECONDS", "30")
    tmp_path.joinpath("run.json").write_text('{"domain": "gaming", "seed": 99}')  # left by a crash
    chosen: dict[str, object] = {"rate": 5.0}
    java = Java(Path("java"), "17")
    state_folder.lay_out(load_settings(home=tmp_path, **chosen), java, {"kafka": ()}, chosen=chosen)
    monkeypatch.delenv("RTLIB_DOMAIN")
    monkeypatch.delenv("RTLIB_WINDOW_SECONDS")
    return tmp_path


def test_another_terminal_uses_all_options_of_the_running_stack(laid_out: Path) -> None:
    other = load_settings(home=laid_out)
    assert (other.domain, other.rate, other.window_seconds, other.seed) == ("iot", 5.0, 30, 7)
    assert set(load_options(laid_out)) == set(RUN_OPTIONS)


def test_options_that_a_running_stack_ignores_are_reported(laid_out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "up", lambda settings, **kwargs: False)
    lines: list[str] = []
    chosen: dict[str, object] = {"rate": 500.0}
    assert not lifecycle.start(load_settings(home=laid_out, **chosen), chosen, notify=lines.append)
    assert lines == ["the stack runs with rate 5.0; 500.0 is ignored. To change it: rtlib down, then rtlib up"]


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_stack_of_another_domain_is_refused(laid_out: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.setattr(stack, "up", lambda settings, **kwargs: False)
    if by == "variable":
        monkeypatch.setenv("RTLIB_DOMAIN", "gaming")
    chosen: dict[str, object] = {"domain": "gaming"} if by == "option" else {}
    with pytest.raises(ConfigError, match="the stack is running for iot") as refused:
        lifecycle.start(load_settings(home=laid_out, **chosen), chosen, notify=lambda line: None)
    assert "--domain gaming" in refused.value.cure


def test_a_headless_run_restores_the_simulator_of_a_running_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "up", lambda settings, **kwargs: False)
    monkeypatch.setattr(
        demo, "_drained_ledger", lambda settings, notify: supervisor.states(settings)["simulator"].state
    )
    monkeypatch.setattr(demo, "look", lambda settings: graph.build({}, now=datetime.now(UTC)))
    with running_supervisor(WAITS) as settings:
        until(lambda: supervisor.states(settings)["simulator"].state == "RUNNING", seconds=20)
        during, nodes = demo.run_headless(settings, {}, seconds=1, notify=lambda line: None)
        assert (during, supervisor.states(settings)["simulator"].state) == ("STOPPED", "RUNNING")
        assert nodes["unknown"] == len(ARCHITECTURE_COMPONENTS_LIST)
        supervisor.stop_part(settings, "simulator")
        demo.run_headless(settings, {}, seconds=1, notify=lambda line: None)
        assert supervisor.states(settings)["simulator"].state == "STOPPED"


def test_a_folder_with_other_files_is_refused_as_the_state_folder_and_stays_unchanged(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("private")
    tmp_path.chmod(0o755)
    done = call_rtlib(tmp_path, "up")
    assert done.returncode == 2
    assert (
        f"{tmp_path} is not a state folder: it holds letter.txt" in done.stderr
        and "Cure: set RTLIB_HOME" in done.stderr
    )
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("words", [("--json",), ("--seconds", "5")])
def test_options_of_a_headless_demo_are_refused_without_headless(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = call_rtlib(tmp_path / "home", "demo", *words)
    assert done.returncode == 2
    assert f"{words[0]} " in done.stderr and "--headless" in done.stderr
    assert not (tmp_path / "home").exists()
