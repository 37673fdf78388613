"""Config: the settings of the project, and the only reader of the environment and of ``.env.local``."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qs

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rtlib.errors import ConfigError, ServiceError
from rtlib.run_state import is_running, load_options, read_secret
from rtlib.validators import Address, Port, SparkMaster

PREFIX = "RTLIB_"
DOMAINS = ("curbside", "ecommerce", "gaming", "iot")
# What a stack does from its start to its end; another terminal, and a part that starts again, must not differ.
OF_A_RUN = (
    *("domain", "profile", "seed", "rate", "steady", "trigger", "spark_master", "shared"),
    *("late_share", "too_late_share", "out_of_order_share", "duplicate_share", "malformed_share"),
    *("window_seconds", "watermark_seconds", "future_seconds"),
    *("real_time_interval_seconds", "archive_interval_seconds"),
)
USUAL_PORTS = {
    "kafka": 19092,
    "kafka_controller": 19093,
    "registry": 18081,
    "warehouse": 18765,
    "app": 18866,
    "receiver": 18867,
}


def project_root() -> Path:
    """The folder of the working copy, or the current folder when rtlib is installed from a wheel."""
    root = Path(__file__).resolve().parents[1]
    return root if (root / "pyproject.toml").exists() else Path.cwd()


class Settings(BaseSettings):
    """Every setting, each with the default that runs on a laptop with no account.

    A setting is read from ``RTLIB_<NAME>`` in the environment, else from ``.env.local``, else its default holds.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file_encoding="utf-8", env_ignore_empty=True, extra="forbid", frozen=True
    )

    home: Path = Field(default_factory=lambda: project_root() / ".rtlib", description="folder of all state")
    profile: Literal["laptop", "small"] = Field("laptop", description="memory: laptop (3 GB) or small (2 GB)")
    domain: Literal["curbside", "ecommerce", "gaming", "iot"] = Field("curbside", description="which domain runs")
    shared: bool = Field(False, description="the machine has other users: Kafka asks for a sign-in too")
    part: str = Field("", description="set by the supervisor: the name of the part this process is")

    seed: int = Field(7, ge=0, description="same seed, same random choices; times are the clock's")
    rate: float = Field(50.0, gt=0, le=20_000, description="events per second the simulator sends, on average")
    steady: bool = Field(False, description="send at that rate at all hours, instead of by the domain's demand curve")
    late_share: float = Field(0.02, ge=0, le=1, description="share of events sent late, within the watermark")
    too_late_share: float = Field(0.002, ge=0, le=1, description="share sent later than the watermark allows")
    out_of_order_share: float = Field(0.05, ge=0, le=1, description="share sent a few seconds out of order")
    duplicate_share: float = Field(0.01, ge=0, le=1, description="share of events sent twice")
    malformed_share: float = Field(0.005, ge=0, le=1, description="share of extra records that fit no schema")

    window_seconds: int = Field(60, ge=1, description="length of a KPI window")
    watermark_seconds: int = Field(60, ge=1, description="how far behind the newest event one may still count")
    future_seconds: int = Field(60, ge=1, description="an event further ahead of Kafka's clock than this is rejected")
    trigger: Literal["real-time", "micro-batch"] = Field("real-time", description="how the kpis query runs")
    real_time_interval_seconds: int = Field(15, ge=5, description="checkpoint interval of real-time mode")
    archive_interval_seconds: float = Field(2.0, gt=0, description="micro-batch interval of the archive query")
    spark_master: SparkMaster = Field("local[12]", description="where Spark runs")

    kafka_port: Port | None = Field(None, description="local Kafka's port; unset means the usual one or a free one")
    registry_port: Port | None = Field(None, description="local registry's port; unset likewise")
    warehouse_port: Port | None = Field(None, description="local warehouse's port; unset likewise")
    app_port: Port | None = Field(None, description="port of the Voilà app; unset likewise")
    receiver_port: Port | None = Field(None, description="port of the receiver that stands in for Teams; likewise")

    kafka_bootstrap_servers: str | None = Field(None, description="a broker elsewhere; unset means the local one")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to reach a broker elsewhere"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-512", "AWS_MSK_IAM"] | None = Field(
        None, description="how to sign in to that broker, with a SASL protocol"
    )
    kafka_username: str | None = Field(None, description="user of that broker, for PLAIN and SCRAM")
    kafka_password: SecretStr | None = Field(None, description="password of that user")
    kafka_replication_factor: int = Field(1, ge=1, description="1 on a laptop, 3 on a cluster")

    registry_url: str | None = Field(None, description="a Confluent-compatible registry elsewhere")
    registry_username: str | None = Field(None, description="user of that registry, if it asks for one")
    registry_password: SecretStr | None = Field(None, description="password of that user")

    snowflake_account: str | None = Field(None, description="set it to use Snowflake; unset means the local warehouse")
    snowflake_user: str | None = Field(None, description="user of that account")
    snowflake_role: str | None = Field(None, description="role; unset means the user's default")
    snowflake_warehouse: str | None = Field(
        None, description="virtual warehouse that runs the statements; unset means the user's default"
    )
    snowflake_database: str = Field("RTLIB", description="database that holds all schemas")
    snowflake_private_key_file: Path | None = Field(None, description="key-pair sign-in")
    snowflake_private_key_passphrase: SecretStr | None = Field(
        None, description="passphrase of that key, if it has one"
    )
    snowflake_token: SecretStr | None = Field(None, description="programmatic access token, instead of a key pair")
    warehouse_timeout_seconds: int = Field(20, ge=1, description="network and login timeout of the warehouse")

    gemini_api_key: SecretStr | None = Field(None, description="optional; without it explanations are made locally")
    gemini_model: str = Field("gemini-3.8-flash", description="model that writes the explanations")
    gemini_base_url: str | None = Field(None, description="another server that speaks Gemini's protocol")
    teams_webhook_url: Address | None = Field(None, description="optional; without it alerts stay local")
    app_url: str | None = Field(None, description="where people open the app, for links; unset means this machine")

    java_home: Path | None = Field(None, description="a JDK 17 or newer; unset means the one found on the machine")
    maven_url: str | None = Field(None, description="a mirror of Maven Central, for a classroom")

    @field_validator("home")
    @classmethod
    def _from_anywhere(cls, home: Path) -> Path:
        """The same folder for every process, whatever it works in: the app and the lessons work in another one."""
        return Path(os.path.abspath(home.expanduser()))  # noqa: PTH100  resolve() would follow links

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        late = ("late_share", "too_late_share", "out_of_order_share")
        if sum(getattr(self, name) for name in late) > 1:
            raise ValueError(f"{_told(self, late)}: together these shares are at most 1, an event is one of them")
        ports = self.pinned_ports
        for port in ports.values():
            if len(same := [f"{name}_port" for name, other in ports.items() if other == port]) > 1:
                raise ValueError(f"{_told(self, same)}: each needs a port of its own")
        return self

    @property
    def ports(self) -> dict[str, int]:
        """Ports of the local stack, running or not: those chosen at ``up``, else the usual ones."""
        try:
            return {**USUAL_PORTS, **{name: int(port) for name, port in self._chosen_ports().items()}}
        except FileNotFoundError:
            return dict(USUAL_PORTS)
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{self.home / 'ports.json'} is not JSON with a port for each part ({error})",
                cure="rtlib down && rtlib up, which chooses the ports anew",
            ) from error

    def _chosen_ports(self) -> dict[str, int]:
        chosen: dict[str, int] = json.loads((self.home / "ports.json").read_text())
        return chosen

    @property
    def pinned_ports(self) -> dict[str, int]:
        """The ports that a setting asks for by number."""
        asked = {
            "kafka": self.kafka_port,
            "registry": self.registry_port,
            "warehouse": self.warehouse_port,
            "app": self.app_port,
            "receiver": self.receiver_port,
        }
        return {name: port for name, port in asked.items() if port is not None}

    def local_port(self, name: str) -> int:
        """The port of a local part, while the stack of this state folder runs.

        Once it is stopped somebody else may have its ports, another working copy's stack for one. The parts themselves
        are told theirs by the supervisor that started them.

        Raises:
            ServiceError: No stack of this state folder runs.
        """
        if not self.part and not is_running(self.home):
            raise ServiceError(
                f"the stack is not running, so there is no local {name} (in {self.home})", cure="rtlib up"
            )
        return self.ports[name]

    def local_secret(self, name: str) -> SecretStr:
        """The secret that a local server (``warehouse``, ``receiver``, ...) asks for; drawn anew at each start.

        Raises:
            ServiceError: No stack of this state folder was ever started.
        """
        found = read_secret(self.home, name)
        if found is None:
            raise ServiceError(f"there is no secret for the local {name} in {self.home}", cure="rtlib down && rtlib up")
        return SecretStr(found)

    @property
    def bootstrap_servers(self) -> str:
        """Where Kafka answers; a ServiceError when that is the local one and it does not run."""
        return self.kafka_bootstrap_servers or f"127.0.0.1:{self.local_port('kafka')}"

    @property
    def local_sign_in(self) -> bool:
        """True when Kafka is the local one on a shared machine, so that its clients sign in with its secret."""
        return self.shared and self.kafka_bootstrap_servers is None

    @property
    def schema_registry_url(self) -> str:
        """Where the schema registry answers, in its Confluent-compatible form; a ServiceError likewise."""
        return self.registry_url or f"http://127.0.0.1:{self.local_port('registry')}/apis/ccompat/v7"

    @property
    def app_link(self) -> str:
        """The app's address, as links in messages have it; it asks for its token there."""
        return (self.app_url or f"http://127.0.0.1:{self.ports['app']}").rstrip("/") + "/"

    @property
    def local_warehouse(self) -> bool:
        """True when the warehouse is the local one and no Snowflake account is set."""
        return self.snowflake_account is None

    def of_a_run(self) -> dict[str, object]:
        """What a stack that is started now does until its end."""
        return {name: getattr(self, name) for name in OF_A_RUN}

    def topic(self, name: str) -> str:
        """The full name of one of the domain's topics: ``events``, ``kpis``, ``rejected`` or ``progress``."""
        return f"rtlib.{self.domain}.{name}"


def environment_java_home() -> Path | None:
    """The machine's own ``JAVA_HOME``: a hint where Java is, while the setting ``java_home`` is an order."""
    home = os.environ.get("JAVA_HOME")
    return Path(home) if home else None


def use_java(home: Path) -> None:
    """Have whatever this process starts, such as a Spark of its own, use the Java in ``home``."""
    os.environ["JAVA_HOME"] = str(home)


def requested_part() -> str | None:
    """The part that the app's address asks for (``?node=alerts``), as Voilà tells its kernels; None for none."""
    asked = parse_qs(os.environ.get("QUERY_STRING", "")).get("node")
    return asked[0] if asked else None


def inherited_environment() -> dict[str, str]:
    """The variables of this process, for a child that needs some more."""
    return dict(os.environ)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; ``overrides`` win over the environment and ``.env.local``.

    Raises:
        ConfigError: A value cannot work, or a name is not a setting; the message names it and the nearest one.
    """
    _refuse_unknown_names()
    _ask_this_machine_directly()
    try:
        settings = _read(overrides)
        if settings.home.exists() and not settings.home.is_dir():
            raise ConfigError(f"{settings.home} is not a folder", cure="set RTLIB_HOME to a folder, or unset it")
        chosen = load_options(settings.home)
        later = {name: value for name, value in chosen.items() if PREFIX + name.upper() not in os.environ}
        return _read({**later, **overrides}) if later else settings
    except ValidationError as error:
        raise ConfigError(_explain(error), cure="see .env.local.example for every setting and its values") from None


def _read(values: Mapping[str, object]) -> Settings:
    return Settings(_env_file=project_root() / ".env.local", **values)  # type: ignore[call-arg, arg-type]


def _refuse_unknown_names() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "see .env.local.example for every setting"
            raise ConfigError(f"{name} is not a setting of rtlib", cure=hint)


def _ask_this_machine_directly() -> None:
    """Where a proxy is set, keep what runs on this machine off it: no proxy could reach that.

    By the variable that every library looks at: the warehouse's and the registry's clients have no option for it.
    """
    if not any(os.environ.get(one) or os.environ.get(one.lower()) for one in ("HTTP_PROXY", "ALL_PROXY")):
        return
    for name in ("NO_PROXY", "no_proxy"):
        kept = os.environ.get(name) or os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        hosts = [one for one in kept.split(",") if one]
        os.environ[name] = ",".join([*hosts, *(one for one in ("127.0.0.1", "localhost") if one not in hosts)])


def _told(settings: Settings, names: Sequence[str]) -> str:
    return ", ".join(f"{PREFIX}{name.upper()}={getattr(settings, name):g}" for name in names)


def _explain(error: ValidationError) -> str:
    """One line a wrong setting; the value itself only where it cannot be a secret."""
    lines = []
    for problem in error.errors(include_url=False):
        if not problem["loc"]:  # of several settings together; the input would be all of them
            lines.append(str(problem["ctx"]["error"]))
            continue
        name = PREFIX + "_".join(str(part) for part in problem["loc"]).removeprefix(PREFIX.lower()).upper()
        secret = any(word in name for word in ("PASSWORD", "TOKEN", "KEY", "PASSPHRASE", "WEBHOOK"))
        shown = "" if secret or problem["type"] == "missing" else f" (it is {problem['input']!r})"
        lines.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}{shown}")
    return "\n  ".join(lines)
