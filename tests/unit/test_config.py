"""Config: defaults, precedence, errors, and settings of a running stack."""

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


def test_a_misspelt_variable_is_refused_with_the_most_similar_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTLIB_DOMIAN", "iot")
    with pytest.raises(ConfigError, match="RTLIB_DOMIAN is not a setting") as refused:
        load_settings()
    assert refused.value.cure == "did you mean RTLIB_DOMAIN?"


def test_a_misspelt_line_of_the_file_is_refused(bare: Path) -> None:
    (bare / ".env.local").write_text("RTLIB_DOMIAN=iot\n")
    with pytest.raises(ConfigError, match="RTLIB_DOMIAN"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
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
def test_a_wrong_value_is_refused_with_its_name_and_the_valid_values(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert name in refused.value.what
    assert value in refused.value.what
    assert message in refused.value.what
    assert ".env.local.example" in refused.value.cure
    assert refused.value.exit_code == 2


def test_several_wrong_values_are_all_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTLIB_RATE", "fast")
    monkeypatch.setenv("RTLIB_SEED", "-3")
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert "RTLIB_RATE" in refused.value.what
    assert "RTLIB_SEED" in refused.value.what


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
def test_an_invalid_webhook_address_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("RTLIB_TEAMS_WEBHOOK_URL", address)
    with pytest.raises(ConfigError, match=r"RTLIB_TEAMS_WEBHOOK_URL: .*https://") as refused:
        load_settings()
    text = str(refused.value) + repr(refused.value) + str(refused.value.__cause__)
    assert "hunter2" not in text


@pytest.mark.parametrize("address", ["https://h.example.com:443/x?sig=a", "http://127.0.0.1:18867/x", "http://[::1]/x"])
def test_a_valid_webhook_address_is_accepted(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("RTLIB_TEAMS_WEBHOOK_URL", address)
    webhook = load_settings().teams_webhook_url
    assert webhook is not None and webhook.get_secret_value() == address


def test_every_field_that_holds_a_secret_is_a_secret() -> None:
    words = ("password", "token", "api_key", "passphrase", "webhook")
    named = {name for name in Settings.model_fields if any(word in name for word in words)}
    typed = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert named == typed


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_settings().seed = 8  # type: ignore[misc]


def test_ports_chosen_by_up_are_read_and_the_others_are_the_usual_ones(bare: Path) -> None:
    settings = load_settings()
    settings.home.mkdir()
    (settings.home / "ports.json").write_text(json.dumps({"kafka": 5}))
    assert settings.ports == {**USUAL_PORTS, "kafka": 5}
    assert load_settings(part="loader").bootstrap_servers == "127.0.0.1:5"


@pytest.mark.parametrize("torn", ["", "{", "[]", "null", '{"kafka": "no port"}', '{"kafka": null}'])
def test_a_broken_ports_file_is_an_error_with_a_cure_and_is_replaced(bare: Path, torn: str) -> None:
    settings = load_settings()
    settings.home.mkdir()
    (settings.home / "ports.json").write_text(torn)
    with pytest.raises(ConfigError, match="is not JSON") as refused:
        _ = settings.ports
    assert refused.value.cure.startswith("rtlib down && rtlib up")
    assert ports.choose(settings) == settings.ports


def test_another_terminal_uses_the_options_of_the_running_stack(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_machines_java_home_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/opt/java")
    assert config.environment_java_home() == Path("/opt/java")
    monkeypatch.delenv("JAVA_HOME")
    assert config.environment_java_home() is None


def test_the_example_file_lists_every_setting() -> None:
    env_example = runpy.run_path(str(ROOT / "scripts" / "write_env_example.py"))["env_example"]
    text = (ROOT / ".env.local.example").read_text(encoding="utf-8")
    assert text == env_example(), "run: .venv/bin/python scripts/write_env_example.py"
    assert all(f"#{PREFIX}{name.upper()}=" in text for name in Settings.model_fields)


def test_the_example_file_with_every_line_active_gives_the_defaults(bare: Path) -> None:
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
def test_every_form_of_a_spark_master_is_accepted(master: str) -> None:
    assert load_settings(spark_master=master).spark_master == master


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"LATE_SHARE": "0.9", "OUT_OF_ORDER_SHARE": "0.5"}, "RTLIB_LATE_SHARE=0.9, RTLIB_TOO_LATE_SHARE=0.002, RTLIB"),
        ({"KAFKA_PORT": "18999", "APP_PORT": "18999"}, "RTLIB_KAFKA_PORT=18999, RTLIB_APP_PORT=18999: each needs"),
    ],
)
def test_inconsistent_settings_are_reported_and_no_others(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], message: str
) -> None:
    monkeypatch.setenv("RTLIB_GEMINI_API_KEY", "hunter2")
    for name, value in values.items():
        monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert message in refused.value.what
    assert "hunter2" not in refused.value.what
    assert "\n" not in refused.value.what


@pytest.mark.parametrize(
    ("value", "expected"), [("rel", "{here}/rel"), ("~/state", "{user}/state"), ("../a", "{up}/a")]
)
def test_the_state_folder_does_not_depend_on_the_working_directory(
    bare: Path, monkeypatch: pytest.MonkeyPatch, value: str, expected: str
) -> None:
    monkeypatch.chdir(bare)
    monkeypatch.setenv("RTLIB_HOME", value)
    assert str(load_settings().home) == expected.format(here=bare, user=Path.home(), up=bare.parent)


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy variables; those that a test sets are removed afterwards."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        for variable in (name, name.lower()):
            monkeypatch.setenv(variable, "")
            monkeypatch.delenv(variable)


@pytest.mark.usefixtures("proxies")
def test_requests_to_this_machine_bypass_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "intranet.example")
    load_settings()
    load_settings()
    assert requests.utils.get_environ_proxies("http://127.0.0.1:18765/") == {}
    assert requests.utils.get_environ_proxies("http://intranet.example/") == {}
    assert requests.utils.get_environ_proxies("http://elsewhere.example/")["http"] == "http://proxy.example:3128"
    assert os.environ["no_proxy"] == "intranet.example,127.0.0.1,localhost"


@pytest.mark.usefixtures("proxies")
def test_without_a_proxy_the_environment_is_unchanged() -> None:
    before = dict(os.environ)
    load_settings()
    assert dict(os.environ) == before
