"""Registry: the schemas of the topics, by Confluent's API; locally Apicurio Registry answers it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtlib.broker.compatibility import readable
from rtlib.config import Settings
from rtlib.errors import ConfigError, SchemaRefused, ServiceError
from rtlib.run_state import LOCAL_USER
from rtlib.validators import Hidden

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError

COMPATIBILITY = "BACKWARD"
TIMEOUT_SECONDS = 10
CONFLICT, NOT_FOUND, UNFIT = 409, 404, 422


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema as the registry holds it: ``version`` counts from 1 in its subject, ``id`` is the registry's own."""

    subject: str
    version: int
    id: int
    schema: Mapping[str, Any]


def registry_options(settings: Settings) -> dict[str, str]:
    """Where the registry is and how to sign in, as Confluent's ``SchemaRegistryClient`` takes it.

    The local registry asks for the secret of this start; another one for what the settings have.

    Raises:
        ServiceError: The local registry is asked for, and it does not run.
    """
    options = {"url": settings.schema_registry_url}
    if settings.registry_url is None:
        options["basic.auth.user.info"] = Hidden(f"{LOCAL_USER}:{settings.local_secret('registry').get_secret_value()}")
    elif settings.registry_username and settings.registry_password:
        secret = settings.registry_password.get_secret_value()
        options["basic.auth.user.info"] = Hidden(f"{settings.registry_username}:{secret}")
    return options


def registry_client(settings: Settings) -> SchemaRegistryClient:
    """Confluent's own client, for what this module does not do; close it, or use it in a ``with``."""
    from confluent_kafka.schema_registry import SchemaRegistryClient

    waits: dict[str, Any] = {"timeout": TIMEOUT_SECONDS, "max.retries": 1, "retries.wait.ms": 200}
    return SchemaRegistryClient({**registry_options(settings), **waits})


def register(settings: Settings, subject: str, schema: Mapping[str, Any]) -> int:
    """Register a JSON Schema under a subject that only takes backward compatible changes.

    Backward compatible means: who reads with the new schema can read what was written with the last one. The same
    schema again is no change, and gets the same id.

    Returns:
        The schema's id, as it goes into every frame.

    Raises:
        SchemaRefused: The change is not compatible, or this is no JSON Schema; the message names field and change.
        ServiceError: The registry does not answer.
    """
    from confluent_kafka.schema_registry import Schema, SchemaRegistryError

    with _client(settings) as client:
        client.set_compatibility(subject, COMPATIBILITY)
        try:
            return int(client.register_schema(subject, Schema(json.dumps(schema), "JSON")))
        except SchemaRegistryError as error:
            if error.http_status_code not in (CONFLICT, UNFIT):
                raise
            raise _refusal(client, subject, schema, error) from error


def schema_by_id(settings: Settings, schema_id: int) -> dict[str, Any]:
    """The schema with the id that a frame carries.

    Raises:
        ConfigError: No schema has this id.
        ServiceError: The registry does not answer.
    """
    with _client(settings) as client, _known(f"no schema has the id {schema_id}", "take the id from a record's frame"):
        return _schema(client.get_schema(schema_id).schema_str)


def latest(settings: Settings, subject: str) -> Registered:
    """The newest schema of a subject.

    Raises:
        ConfigError: There is no such subject.
        ServiceError: The registry does not answer.
    """
    with _client(settings) as client, _known(f"the registry has no subject {subject!r}", "see rtlib.broker.subjects"):
        told = client.get_latest_version(subject)
    return Registered(subject, int(told.version or 0), int(told.schema_id or 0), _schema(told.schema.schema_str))


def schema_ids(settings: Settings, subject: str) -> frozenset[int]:
    """The ids of all versions of a subject: those that a frame of its topic may carry.

    Raises:
        ConfigError: There is no such subject.
        ServiceError: The registry does not answer.
    """
    with _client(settings) as client, _known(f"the registry has no subject {subject!r}", "rtlib up"):
        versions = client.get_versions(subject)
        return frozenset(int(client.get_version(subject, one).schema_id or 0) for one in versions)


def subjects(settings: Settings) -> list[str]:
    """The subjects that the registry holds, sorted.

    Raises:
        ServiceError: The registry does not answer.
    """
    with _client(settings) as client:
        return sorted(client.get_subjects())


def _refusal(
    client: SchemaRegistryClient, subject: str, schema: Mapping[str, Any], error: SchemaRegistryError
) -> SchemaRefused:
    if error.http_status_code == UNFIT:
        return SchemaRefused(
            f"{subject}: the registry takes this for no JSON Schema: {error.error_message}",
            cure='give it "type": "object" and "properties"',
        )
    old = _schema(client.get_latest_version(subject).schema.schema_str)
    faults = readable(error.error_message, old=old, new=schema)
    return SchemaRefused(
        f"{subject}: the new schema is not backward compatible\n  " + "\n  ".join(faults),
        cure="only add optional fields or loosen rules; for anything else begin a new topic",
    )


def _schema(text: str | None) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(text or "{}")
    return schema


@contextmanager
def _known(what: str, cure: str) -> Iterator[None]:
    """Within it the registry's "not found" is raised as a ConfigError."""
    from confluent_kafka.schema_registry import SchemaRegistryError

    try:
        yield
    except SchemaRegistryError as error:
        if error.http_status_code != NOT_FOUND:
            raise
        raise ConfigError(what, cure=cure) from error


@contextmanager
def _client(settings: Settings) -> Iterator[SchemaRegistryClient]:
    """A client whose errors are translated."""
    from confluent_kafka.schema_registry import SchemaRegistryError

    where = settings.schema_registry_url
    local = settings.registry_url is None
    start = "rtlib up" if local else "check RTLIB_REGISTRY_URL"
    check = "rtlib down && rtlib up" if local else "check RTLIB_REGISTRY_USERNAME and RTLIB_REGISTRY_PASSWORD"
    try:
        with registry_client(settings) as client:
            yield client
    except _transport_errors() as error:
        said = f"{type(error).__name__}: {error}"
        raise ServiceError(f"the schema registry at {where} does not answer ({said})", cure=start) from error
    except SchemaRegistryError as error:
        sign_in = error.http_status_code in (401, 403)
        cure = check if sign_in else "rtlib logs registry"
        raise ServiceError(f"the schema registry at {where} refused: {error}", cure=cure) from error


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the client raises when nobody answers; it speaks by httpx2 where that is installed, else by httpx."""
    libraries = [importlib.import_module(name) for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]
    return tuple(library.HTTPError for library in libraries)
