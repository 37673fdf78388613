"""Config: the settings of the project, and the only reader of the environment and of ``.env.local``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qs

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rtlib.config_errors import describe, unknown_name_hint
from rtlib.errors import ConfigError, ServiceError
from rtlib.run_state import is_running, load_options, load_ports, read_secret
from rtlib.validators import Address, Port, SparkMaster

PREFIX = "RTLIB_"
DOMAINS = ("curbside", "ecommerce", "gaming", "iot")
# Settings that are fixed while a stack runs: another terminal, and a part that restarts, must use the same values.
RUN_OPTIONS = (
    *("domain", "profile", "seed", "rate", "steady", "trigger", "spark_master", "shared"),
    *("late_share", "too_late_share", "out_of_order_share", "duplicate_share", "malformed_share"),
    *("window_seconds", "watermark_seconds", "future_seconds"),
    *("real_time_interval_seconds", "archive_interval_seconds"),
    *("history_days", "dbt_minutes", "forecast_minutes"),
)
# Settings for a stack that only streams, and does nothing in the background.
NO_BATCH_JOBS = {"history_days": 0, "dbt_minutes": 0, "forecast_minutes": 0, "class_archives": False}
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
    """Every setting; the defaults run on a laptop without any account.

    A setting is read from ``RTLIB_<NAME>`` in the environment, else from ``.env.local``, else the default holds.
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
    rate: float = Field(
        10.0, gt=0, le=20_000, description="events per second on average, of the live stream and of history"
    )
    steady: bool = Field(False, description="send at that rate at all hours, instead of by the domain's demand curve")
    late_share: float = Field(0.02, ge=0, le=1, description="share of events sent late, within the watermark")
    too_late_share: float = Field(0.002, ge=0, le=1, description="share sent later than the watermark allows")
    out_of_order_share: float = Field(0.05, ge=0, le=1, description="share sent a few seconds out of order")
    duplicate_share: float = Field(0.01, ge=0, le=1, description="share of events sent twice")
    malformed_share: float = Field(0.005, ge=0, le=1, description="share of extra records that fit no schema")

    raw_days: int = Field(
        2, ge=2, le=30, description="days that events stay raw; rtlib retention turns older ones into rollups"
    )
    history_days: int = Field(28, ge=0, le=366, description="days of history loaded at the first start; 0: none")
    dbt_minutes: float = Field(
        5, ge=0, le=1440, description="minutes between the builds of the marts; 0: only on request"
    )
    forecast_minutes: float = Field(
        60, ge=0, le=10_080, description="minutes between forecasts, each with a plan and a report; 0: only on request"
    )
    window_seconds: int = Field(60, ge=1, description="length of a KPI window")
    watermark_seconds: int = Field(60, ge=1, description="how far behind the newest event an event still counts")
    future_seconds: int = Field(60, ge=1, description="an event further ahead of Kafka's clock than this is rejected")
    trigger: Literal["real-time", "micro-batch"] = Field("real-time", description="how the kpis query runs")
    real_time_interval_seconds: int = Field(15, ge=5, description="checkpoint interval of real-time mode")
    archive_interval_seconds: float = Field(4.0, gt=0, description="micro-batch interval of the archive query")
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

    lock_solutions: bool = Field(False, description="a teacher shows no solution of an exercise before it is solved")

    java_home: Path | None = Field(None, description="a JDK 17 or newer; unset means the one found on the machine")
    maven_url: str | None = Field(None, description="a mirror of Maven Central, for a classroom")
    class_archives: bool = Field(
        True, description="make Java's class archives once, with which later starts are faster"
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        """The same folder for every process: the app and the lessons run in another working directory."""
        return Path(os.path.abspath(home.expanduser()))  # noqa: PTH100  resolve() would follow links

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        shares = ("late_share", "too_late_share", "out_of_order_share")
        if sum(getattr(self, name) for name in shares) > 1:
            raise ValueError(f"{_assignments(self, shares)}: these shares must sum to at most 1")
        ports = self.pinned_ports
        for port in ports.values():
            if len(same := [f"{name}_port" for name, other in ports.items() if other == port]) > 1:
                raise ValueError(f"{_assignments(self, same)}: each needs a different port")
        return self

    @property
    def ports(self) -> dict[str, int]:
        """Ports of the local stack, running or not: those chosen by ``up``, else the usual ones."""
        return {**USUAL_PORTS, **load_ports(self.home)}

    @property
    def pinned_ports(self) -> dict[str, int]:
        """The ports that a setting fixes."""
        ports = {
            "kafka": self.kafka_port,
            "registry": self.registry_port,
            "warehouse": self.warehouse_port,
            "app": self.app_port,
            "receiver": self.receiver_port,
        }
        return {name: port for name, port in ports.items() if port is not None}

    def local_port(self, name: str) -> int:
        """The port of a local server, while the stack of this state folder runs.

        After a stop another process may use its ports, for example the stack of another working copy. A part itself
        need not check: its supervisor runs.

        Raises:
            ServiceError: No stack of this state folder runs.
        """
        if not self.part and not is_running(self.home):
            raise ServiceError(
                f"the stack is not running, so there is no local {name} (in {self.home})", cure="rtlib up"
            )
        return self.ports[name]

    def local_secret(self, name: str) -> SecretStr:
        """The secret of a local server (``warehouse``, ``receiver``, ...); each start of the stack draws a new one.

        Raises:
            ServiceError: No stack of this state folder was ever started.
        """
        secret = read_secret(self.home, name)
        if secret is None:
            raise ServiceError(f"there is no secret for the local {name} in {self.home}", cure="rtlib down && rtlib up")
        return SecretStr(secret)

    @property
    def bootstrap_servers(self) -> str:
        """Kafka's address; raises a ServiceError when it is the local broker and that does not run."""
        return self.kafka_bootstrap_servers or f"127.0.0.1:{self.local_port('kafka')}"

    @property
    def local_sign_in(self) -> bool:
        """True for the local Kafka on a shared machine, whose clients sign in with its secret."""
        return self.shared and self.kafka_bootstrap_servers is None

    @property
    def schema_registry_url(self) -> str:
        """The schema registry's Confluent-compatible address; raises a ServiceError when the local one does not run."""
        return self.registry_url or f"http://127.0.0.1:{self.local_port('registry')}/apis/ccompat/v7"

    @property
    def app_link(self) -> str:
        """The app's address for links in messages, without its token, which the app then requires."""
        return (self.app_url or f"http://127.0.0.1:{self.ports['app']}").rstrip("/") + "/"

    @property
    def local_warehouse(self) -> bool:
        """True when no Snowflake account is set, so the local warehouse is used."""
        return self.snowflake_account is None

    def run_options(self) -> dict[str, object]:
        """The settings that are fixed for a stack that starts now."""
        return {name: getattr(self, name) for name in RUN_OPTIONS}

    def topic(self, name: str) -> str:
        """The full name of one of the domain's topics: ``events``, ``kpis``, ``rejected`` or ``progress``."""
        return f"rtlib.{self.domain}.{name}"


def environment_java_home() -> Path | None:
    """The machine's own ``JAVA_HOME``: a hint where Java is. The setting ``java_home``, in contrast, is binding."""
    home = os.environ.get("JAVA_HOME")
    return Path(home) if home else None


def use_java(home: Path) -> None:
    """Make every child of this process, such as its own Spark, use the Java in ``home``."""
    os.environ["JAVA_HOME"] = str(home)


def requested_part() -> str | None:
    """The part in the app's address (``?node=alerts``), which Voilà passes to its kernels; None without one."""
    nodes = parse_qs(os.environ.get("QUERY_STRING", "")).get("node")
    return nodes[0] if nodes else None


def inherited_environment() -> dict[str, str]:
    """The variables of this process, as a base for those of a child."""
    return dict(os.environ)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; while a stack runs, its own options apply unless the environment sets them.

    Args:
        overrides: Take precedence over the environment and ``.env.local``.

    Raises:
        ConfigError: A value is invalid, or a variable is not a setting; the message has the name, and for an unknown
            one the most similar.
    """
    _refuse_unknown_names()
    _bypass_proxy()
    try:
        settings = _read(overrides)
        if settings.home.exists() and not settings.home.is_dir():
            raise ConfigError(f"{settings.home} is not a folder", cure="set RTLIB_HOME to a folder, or unset it")
        options = load_options(settings.home)
        active = {name: value for name, value in options.items() if PREFIX + name.upper() not in os.environ}
        return _read({**active, **overrides}) if active else settings
    except ValidationError as error:
        raise ConfigError(
            describe(error, prefix=PREFIX), cure="see .env.local.example for every setting and its values"
        ) from None


def _read(values: Mapping[str, object]) -> Settings:
    return Settings(_env_file=project_root() / ".env.local", **values)  # type: ignore[call-arg, arg-type]


def _refuse_unknown_names() -> None:
    names = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in names:
            raise ConfigError(f"{name} is not a setting of rtlib", cure=unknown_name_hint(name, names))


def _bypass_proxy() -> None:
    """Exclude this machine from a configured proxy, which cannot reach it.

    The variable is the only common way: the clients of the warehouse and of the registry have no option for it.
    """
    if not any(os.environ.get(name) or os.environ.get(name.lower()) for name in ("HTTP_PROXY", "ALL_PROXY")):
        return
    for name in ("NO_PROXY", "no_proxy"):
        value = os.environ.get(name) or os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        hosts = [host for host in value.split(",") if host]
        os.environ[name] = ",".join([*hosts, *(host for host in ("127.0.0.1", "localhost") if host not in hosts)])


def _assignments(settings: Settings, names: Sequence[str]) -> str:
    return ", ".join(f"{PREFIX}{name.upper()}={getattr(settings, name):g}" for name in names)
