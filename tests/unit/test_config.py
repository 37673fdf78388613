from __future__ import annotations

import json
import os
import runpy
from pathlib import Path

import pytest
import requests
from pydantic import SecretStr, ValidationError

from rtlib import config
from rtlib.config import PREFIX, USUAL_PORTS, Settings, load_settings
from rtlib.errors import ConfigError
from rtlib.services import ports
from support.project import ROOT


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No RTLIB_ variable of the machine, and an empty working copy whose .env.local a test may write."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(config, "project_root", lambda: tmp_path)
    return tmp_path


def test_the_defaults_need_no_account(bare: Path) -> None:
    settings = load_settings(part="loader")
    assert settings.home == bare / ".rtlib"
    assert settings.local_warehouse
    assert settings.bootstrap_servers == f"127.0.0.1:{USUAL_PORTS['kafka']}"
    assert settings.schema_registry_url == f"http://127.0.0.1:{USUAL_PORTS['registry']}/apis/ccompat/v7"
    secrets = [name for name, value in settings if isinstance(value, SecretStr)]
    assert secrets == []


def test_the_environment_wins_over_the_file_and_an_argument_over_both(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bare / ".env.local").write_text("RTLIB_SEED=1\nRTLIB_RATE=10\nRTLIB_DOMAIN=iot\n")
    monkeypatch.setenv("RTLIB_RATE", "20")
    monkeypatch.setenv("RTLIB_DOMAIN", "gaming")
    settings = load_settings(domain="ecommerce")
    assert (settings.seed, settings.rate, settings.domain) == (1, 20.0, "ecommerce")


def test_an_empty_value_means_unset(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / ".env.local").write_text("RTLIB_KAFKA_PORT=\nRTLIB_HOME=\n")
    monkeypatch.setenv("RTLIB_APP_PORT", "")
    settings = load_settings()
    assert settings.pinned_ports == {}
    assert settings.home == bare / ".rtlib"


def test_a_misspelt_variable_is_refused_and_the_near_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTLIB_DOMIAN", "iot")
    with pytest.raises(ConfigError, match="RTLIB_DOMIAN is not a setting") as caught:
        load_settings()
    assert caught.value.cure == "did you mean RTLIB_DOMAIN?"


def test_a_misspelt_line_of_the_file_is_refused(bare: Path) -> None:
    (bare / ".env.local").write_text("RTLIB_DOMIAN=iot\n")
    with pytest.raises(ConfigError, match="RTLIB_DOMIAN"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RTLIB_DOMAIN", "retail", "'curbside', 'ecommerce', 'gaming' or 'iot'"),
        ("RTLIB_RATE", "-1", "greater than 0"),
        ("RTLIB_RATE", "fast", "valid number"),
        ("RTLIB_LATE_SHARE", "2", "less than or equal to 1"),
        ("RTLIB_TRIGGER", "hourly", "'real-time' or 'micro-batch'"),
        ("RTLIB_KAFKA_PORT", "99999", "less than or equal to 65535"),
        ("RTLIB_APP_PORT", "-5", "greater than or equal to 1"),
        ("RTLIB_RECEIVER_PORT", "0", "greater than or equal to 1"),
        ("RTLIB_SPARK_MASTER", "nonsense", "use local, local[8]"),
        ("RTLIB_SPARK_MASTER", "local[0]", "use local, local[8]"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_what_would_work(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert name in caught.value.what
    assert value in caught.value.what
    assert said in caught.value.what
    assert ".env.local.example" in caught.value.cure
    assert caught.value.exit_code == 2


def test_several_wrong_values_are_all_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTLIB_RATE", "fast")
    monkeypatch.setenv("RTLIB_SEED", "-3")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert "RTLIB_RATE" in caught.value.what
    assert "RTLIB_SEED" in caught.value.what


def test_a_secret_is_never_shown(bare: Path) -> None:
    (bare / ".env.local").write_text("RTLIB_SNOWFLAKE_TOKEN=hunter2\nRTLIB_GEMINI_API_KEY=hunter3\n")
    shown = repr(load_settings()) + str(load_settings())
    assert "hunter" not in shown
    assert "**********" in shown


@pytest.mark.parametrize(
    "address",
    ["teams.example.com/hunter2", "ftp://h.example.com/hunter2", "https:///hunter2", "https://h:port/hunter2",
     f"https://{'h' * 64}.example.com/hunter2", "https://h..example.com/hunter2", "https://[::1/hunter2"],
)  # fmt: skip
def test_a_webhook_that_cannot_be_called_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("RTLIB_TEAMS_WEBHOOK_URL", address)
    with pytest.raises(ConfigError, match=r"RTLIB_TEAMS_WEBHOOK_URL: .*https://") as caught:
        load_settings()
    told = str(caught.value) + repr(caught.value) + str(caught.value.__cause__)
    assert "hunter2" not in told


@pytest.mark.parametrize("address", ["https://h.example.com:443/x?sig=a", "http://127.0.0.1:18867/x", "http://[::1]/x"])
def test_a_webhook_that_can_be_called_is_taken(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("RTLIB_TEAMS_WEBHOOK_URL", address)
    told = load_settings().teams_webhook_url
    assert told is not None and told.get_secret_value() == address


def test_every_field_that_holds_a_secret_is_a_secret() -> None:
    words = ("password", "token", "api_key", "passphrase", "webhook")
    named = {name for name in Settings.model_fields if any(word in name for word in words)}
    typed = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert named == typed


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_settings().seed = 8  # type: ignore[misc]


def test_ports_chosen_at_up_are_read_and_the_others_stay_usual(bare: Path) -> None:
    settings = load_settings()
    settings.home.mkdir()
    (settings.home / "ports.json").write_text(json.dumps({"kafka": 5}))
    assert settings.ports == {**USUAL_PORTS, "kafka": 5}
    assert load_settings(part="loader").bootstrap_servers == "127.0.0.1:5"


@pytest.mark.parametrize("torn", ["", "{", "[]", "null", '{"kafka": "no port"}', '{"kafka": null}'])
def test_a_broken_ports_file_is_an_error_with_a_cure_and_chosen_anew(bare: Path, torn: str) -> None:
    settings = load_settings()
    settings.home.mkdir()
    (settings.home / "ports.json").write_text(torn)
    with pytest.raises(ConfigError, match="is not JSON") as caught:
        _ = settings.ports
    assert caught.value.cure.startswith("rtlib down && rtlib up")
    assert ports.choose(settings) == settings.ports


def test_a_second_terminal_asks_about_what_was_started(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = load_settings().home
    home.mkdir()
    (home / "run.json").write_text(json.dumps({"domain": "gaming", "rate": 5}))
    assert (load_settings().domain, load_settings().rate) == ("gaming", 5.0)
    assert load_settings(domain="iot").domain == "iot"
    monkeypatch.setenv("RTLIB_DOMAIN", "ecommerce")
    assert load_settings().domain == "ecommerce"


def test_a_broker_elsewhere_replaces_the_local_one() -> None:
    assert load_settings(kafka_bootstrap_servers="broker:9092").bootstrap_servers == "broker:9092"
    assert load_settings(registry_url="http://registry/v7").schema_registry_url == "http://registry/v7"
    assert not load_settings(snowflake_account="acme").local_warehouse


def test_topics_are_named_by_domain() -> None:
    assert load_settings(domain="iot").topic("events") == "rtlib.iot.events"


def test_the_machines_java_home_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/opt/java")
    assert config.environment_java_home() == Path("/opt/java")
    monkeypatch.delenv("JAVA_HOME")
    assert config.environment_java_home() is None


def test_the_example_file_lists_every_setting_as_it_is() -> None:
    env_example = runpy.run_path(str(ROOT / "scripts" / "write_env_example.py"))["env_example"]
    text = (ROOT / ".env.local.example").read_text(encoding="utf-8")
    assert text == env_example(), "run: .venv/bin/python scripts/write_env_example.py"
    assert all(f"#{PREFIX}{name.upper()}=" in text for name in Settings.model_fields)


def test_the_example_file_with_every_line_taken_in_gives_the_defaults(bare: Path) -> None:
    text = (ROOT / ".env.local.example").read_text(encoding="utf-8")
    lines = [line.removeprefix("#") for line in text.splitlines() if line.startswith(f"#{PREFIX}")]
    before = load_settings()
    (bare / ".env.local").write_text("\n".join(lines))
    assert load_settings() == before


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.write_text("")
    with pytest.raises(ConfigError, match="is not a folder"):
        load_settings(home=file)


@pytest.mark.parametrize("master", ["local", "local[8]", "local[*]", "local[4,2]", "yarn", "spark://a:7077,b:7077"])
def test_every_way_to_name_a_spark_master_is_taken(master: str) -> None:
    assert load_settings(spark_master=master).spark_master == master


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"LATE_SHARE": "0.9", "OUT_OF_ORDER_SHARE": "0.5"}, "RTLIB_LATE_SHARE=0.9, RTLIB_TOO_LATE_SHARE=0.002, RTLIB"),
        ({"KAFKA_PORT": "18999", "APP_PORT": "18999"}, "RTLIB_KAFKA_PORT=18999, RTLIB_APP_PORT=18999: each needs"),
    ],
)
def test_settings_that_cannot_hold_together_are_named_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("RTLIB_GEMINI_API_KEY", "hunter2")
    for name, value in values.items():
        monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert said in caught.value.what
    assert "hunter2" not in caught.value.what
    assert "\n" not in caught.value.what


@pytest.mark.parametrize(("written", "meant"), [("rel", "{here}/rel"), ("~/state", "{user}/state"), ("../a", "{up}/a")])
def test_the_state_folder_is_the_same_from_everywhere(
    bare: Path, monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    monkeypatch.chdir(bare)
    monkeypatch.setenv("RTLIB_HOME", written)
    assert str(load_settings().home) == meant.format(here=bare, user=Path.home(), up=bare.parent)


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable about proxies, and what a test sets is forgotten."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        for one in (name, name.lower()):
            monkeypatch.setenv(one, "")
            monkeypatch.delenv(one)


@pytest.mark.usefixtures("proxies")
def test_a_proxy_is_asked_for_nothing_that_runs_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "intranet.example")
    load_settings()
    load_settings()
    assert requests.utils.get_environ_proxies("http://127.0.0.1:18765/") == {}
    assert requests.utils.get_environ_proxies("http://intranet.example/") == {}
    assert requests.utils.get_environ_proxies("http://elsewhere.example/")["http"] == "http://proxy.example:3128"
    assert os.environ["no_proxy"] == "intranet.example,127.0.0.1,localhost"


@pytest.mark.usefixtures("proxies")
def test_where_there_is_no_proxy_the_environment_stays_as_it_is() -> None:
    before = dict(os.environ)
    load_settings()
    assert dict(os.environ) == before
