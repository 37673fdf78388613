"""Project: the folder ``dbt/``, its profile, and the environment that a stock ``dbt`` needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rtlib import private
from rtlib.config import PREFIX, Settings, project_root
from rtlib.errors import ConfigError, ServiceError

PROFILE = "profiles.yml"
_PLAIN = (
    "snowflake_account", "snowflake_user", "snowflake_role", "snowflake_warehouse", "snowflake_database",
    "snowflake_private_key_file",
)  # fmt: skip
STREAM = ("window_seconds", "watermark_seconds")  # settings that the models share with the stream
_SECRET = ("snowflake_private_key_passphrase", "snowflake_token")
# dbt accepts variables with this prefix in a profile only, and keeps their values out of its log.
LOCAL_SECRET = "DBT_ENV_SECRET_RTLIB_WAREHOUSE"


def project() -> Path:
    """The folder of the dbt project.

    Raises:
        ConfigError: There is none, because rtlib does not run from a working copy.
    """
    folder = project_root() / "dbt"
    if not (folder / "dbt_project.yml").is_file():
        raise ConfigError(
            f"there is no dbt project at {folder}", cure="use a clone of the repository, which contains the folder dbt"
        )
    return folder


def target(settings: Settings) -> Path:
    """The folder of dbt's output: manifest, results, compiled SQL."""
    return settings.home / "dbt" / "target"


def exports(settings: Settings) -> dict[str, str]:
    """The environment variables with which a stock ``dbt`` does the same as ``build``.

    They include the secret of the local warehouse, which expires with its stack, but no secret of a Snowflake account.

    Raises:
        ServiceError: The warehouse is local, and no stack of this state folder runs.
    """
    port = {f"{PREFIX}WAREHOUSE_PORT": str(settings.local_port("warehouse"))} if settings.local_warehouse else {}
    return {
        **_variables(settings, (*_PLAIN, *STREAM)),
        **port,
        **_local_secret(settings),
        "DBT_PROJECT_DIR": str(project()),
        "DBT_PROFILES_DIR": str(project()),
        "DBT_TARGET_PATH": str(target(settings).resolve()),
        "DBT_LOG_PATH": str(log_folder(settings).resolve()),
    }


def secrets_needed(settings: Settings) -> tuple[str, ...]:
    """The names of the secret variables that have to be set in addition."""
    return tuple(_variables(settings, _SECRET))


def log_folder(settings: Settings) -> Path:
    """The folder of dbt's log."""
    return settings.home / "logs" / "dbt"


@contextmanager
def profile_folder(settings: Settings) -> Iterator[Path]:
    """A temporary folder with the project's profile, its variables filled in from the settings.

    The environment is not changed, because settings may come from ``.env.local`` or from code. The folder contains a
    secret: only its owner can read it, and it is removed afterwards.
    """
    import yaml

    text = (project() / PROFILE).read_text(encoding="utf-8")
    variables = {**_variables(settings, (*_PLAIN, *_SECRET)), **_local_secret(settings)}
    filled = _filled(yaml.safe_load(text), variables)
    with TemporaryDirectory(prefix="rtlib-") as name:
        private.write(Path(name) / PROFILE, yaml.safe_dump(filled))
        yield Path(name)


def _variables(settings: Settings, names: tuple[str, ...]) -> dict[str, str]:
    """The settings that have a value, as environment variables."""
    values = {name: getattr(settings, name) for name in names}
    texts = {name: _text(value) for name, value in values.items() if value is not None}
    if "snowflake_account" in names and settings.local_warehouse:
        texts["warehouse_port"] = str(settings.ports["warehouse"])
    return {PREFIX + name.upper(): text for name, text in texts.items()}


def _local_secret(settings: Settings) -> dict[str, str]:
    """The password of the local warehouse; empty before the first start."""
    if not settings.local_warehouse:
        return {}
    try:
        return {LOCAL_SECRET: settings.local_secret("warehouse").get_secret_value()}
    except ServiceError:
        return {}


def _text(value: Any) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    """The same structure with every template rendered as dbt renders it with these variables."""
    if isinstance(value, dict):
        return {key: _filled(inner, variables) for key, inner in value.items()}
    if not isinstance(value, str) or "{{" not in value:
        return value
    from jinja2 import Environment

    renderer = Environment(autoescape=False)
    renderer.filters["as_number"] = lambda text: text  # applied below, because rendering returns text
    rendered = renderer.from_string(value).render(env_var=lambda name, default="": variables.get(name, default))
    return int(rendered) if "as_number" in value else rendered
