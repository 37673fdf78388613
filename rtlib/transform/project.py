"""Project: the folder ``dbt/``, the profile it is run with, and what a stock ``dbt`` needs in its environment."""

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
# dbt takes a variable whose name begins so in a profile alone, and leaves its value out of its log.
LOCAL_SECRET = "DBT_ENV_SECRET_RTLIB_WAREHOUSE"


def project() -> Path:
    """The folder of the dbt project.

    Raises:
        ConfigError: There is none: rtlib does not run from a working copy.
    """
    folder = project_root() / "dbt"
    if not (folder / "dbt_project.yml").is_file():
        raise ConfigError(
            f"there is no dbt project at {folder}", cure="use a clone of the repository: the project is its folder dbt"
        )
    return folder


def target(settings: Settings) -> Path:
    """Where dbt leaves what it made: manifest, results, compiled SQL."""
    return settings.home / "dbt" / "target"


def exports(settings: Settings) -> dict[str, str]:
    """The variables that let a stock ``dbt`` do the same as ``build``.

    The local warehouse's secret is among them, which ends with its stack; those of a Snowflake account are not.

    Raises:
        ServiceError: The warehouse is the local one, and no stack of this state folder runs.
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
    """The variables that have to be set beside those, by name."""
    return tuple(_variables(settings, _SECRET))


def log_folder(settings: Settings) -> Path:
    """Where dbt writes its log."""
    return settings.home / "logs" / "dbt"


@contextmanager
def profile_folder(settings: Settings) -> Iterator[Path]:
    """A folder with the project's profile in it, its variables filled in from the settings.

    The environment stays as it is: settings may come from ``.env.local`` or from code. The folder is readable to its
    owner alone and is gone afterwards, because a secret is in it.
    """
    import yaml

    text = (project() / PROFILE).read_text(encoding="utf-8")
    variables = {**_variables(settings, (*_PLAIN, *_SECRET)), **_local_secret(settings)}
    filled = _filled(yaml.safe_load(text), variables)
    with TemporaryDirectory(prefix="rtlib-") as name:
        private.write(Path(name) / PROFILE, yaml.safe_dump(filled))
        yield Path(name)


def _variables(settings: Settings, names: tuple[str, ...]) -> dict[str, str]:
    """The settings that are set, as variables of the environment."""
    values = {name: getattr(settings, name) for name in names}
    told = {name: _text(value) for name, value in values.items() if value is not None}
    if "snowflake_account" in names and settings.local_warehouse:
        told["warehouse_port"] = str(settings.ports["warehouse"])
    return {PREFIX + name.upper(): value for name, value in told.items()}


def _local_secret(settings: Settings) -> dict[str, str]:
    """The password of the local warehouse; none before the first start, when there is nothing to sign in to."""
    if not settings.local_warehouse:
        return {}
    try:
        return {LOCAL_SECRET: settings.local_secret("warehouse").get_secret_value()}
    except ServiceError:
        return {}


def _text(value: Any) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    """The same structure with every template in it rendered, as dbt would render it with these variables set."""
    if isinstance(value, dict):
        return {key: _filled(inner, variables) for key, inner in value.items()}
    if not isinstance(value, str) or "{{" not in value:
        return value
    from jinja2 import Environment

    renderer = Environment(autoescape=False)
    renderer.filters["as_number"] = lambda text: text  # applied below, where it is no longer text
    rendered = renderer.from_string(value).render(env_var=lambda name, default="": variables.get(name, default))
    return int(rendered) if "as_number" in value else rendered
