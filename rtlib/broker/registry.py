"""Registry: the schemas of the topics, by Confluent's API; locally served by Apicurio Registry."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtlib.broker.compatibility import explain_refusal
from rtlib.config import Settings
from rtlib.errors import ConfigError, SchemaRefused, ServiceError
from rtlib.run_state import LOCAL_USER
from rtlib.validators import Hidden

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError

COMPATIBILITY = "BACKWARD"
TIMEOUT_SECONDS = 10
CONFLICT, NOT_FOUND, INVALID = 409, 404, 422


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered schema: ``version`` counts from 1 within its subject, ``id`` is unique in the registry."""

    subject: str
    version: int
    id: int
    schema: Mapping[str, Any]


def registry_options(settings: Settings) -> dict[str, str]:
    """Address and sign-in of the registry, as arguments of Confluent's ``SchemaRegistryClient``.

    The local registry requires the secret of this start, a remote registry the credentials of the settings.

    Raises:
        ServiceError: The local registry is not running.
    """
    options = {"url": settings.schema_registry_url}
    if settings.registry_url is None:
        options["basic.auth.user.info"] = Hidden(f"{LOCAL_USER}:{settings.local_secret('registry').get_secret_value()}")
    elif settings.registry_username and settings.registry_password:
        secret = settings.registry_password.get_secret_value()
        options["basic.auth.user.info"] = Hidden(f"{settings.registry_username}:{secret}")
    return options


def registry_client(settings: Settings) -> SchemaRegistryClient:
    """Confluent's own client, for anything beyond this module; close it, or use it in a ``with``."""
    from confluent_kafka.schema_registry import SchemaRegistryClient

    limits: dict[str, Any] = {"timeout": TIMEOUT_SECONDS, "max.retries": 1, "retries.wait.ms": 200}
    return SchemaRegistryClient({**registry_options(settings), **limits})


def register(settings: Settings, subject: str, schema: Mapping[str, Any]) -> int:
    """Register a JSON Schema under a subject that accepts only backward compatible changes.

    Backward compatible: a reader with the new schema can read data written with the previous schema. Registering the
    same schema again is no change and returns the same id.

    Returns:
        The schema's id, which every frame carries.

    Raises:
        SchemaRefused: The change is incompatible, or this is not a JSON Schema; the message names field and change.
        ServiceError: The registry does not answer.
    """
    from confluent_kafka.schema_registry import Schema, SchemaRegistryError

    with _client(settings) as client:
        client.set_compatibility(subject, COMPATIBILITY)
        try:
            return int(client.register_schema(subject, Schema(json.dumps(schema), "JSON")))
        except SchemaRegistryError as error:
            if error.http_status_code not in (CONFLICT, INVALID):
                raise
            raise _refusal(client, subject, schema, error) from error


def schema_by_id(settings: Settings, schema_id: int) -> dict[str, Any]:
    """The schema with this id, which a frame carries.

    Raises:
        ConfigError: There is no schema with this id.
        ServiceError: The registry does not answer.
    """
    with _client(settings) as client, _found(f"no schema has the id {schema_id}", "take the id from a record's frame"):
        return _schema(client.get_schema(schema_id).schema_str)


def latest(settings: Settings, subject: str) -> Registered:
    """The newest schema of a subject.

    Raises:
        ConfigError: There is no such subject.
        ServiceError: The registry does not answer.
    """
    hint = "see rtlib.broker.registry.subjects"
    with _client(settings) as client, _found(f"the registry has no subject {subject!r}", hint):
        newest = client.get_latest_version(subject)
    return Registered(subject, int(newest.version or 0), int(newest.schema_id or 0), _schema(newest.schema.schema_str))


def schema_ids(settings: Settings, subject: str) -> frozenset[int]:
    """The ids of all versions of a subject, which the frames of its topic may carry.

    Raises:
        ConfigError: There is no such subject.
        ServiceError: The registry does not answer.
    """
    with _client(settings) as client, _found(f"the registry has no subject {subject!r}", "rtlib up"):
        versions = client.get_versions(subject)
        return frozenset(int(client.get_version(subject, version).schema_id or 0) for version in versions)


def subjects(settings: Settings) -> list[str]:
    """All subjects of the registry, sorted.

    Raises:
        ServiceError: The registry does not answer.
    """
    with _client(settings) as client:
        return sorted(client.get_subjects())


def _refusal(
    client: SchemaRegistryClient, subject: str, schema: Mapping[str, Any], error: SchemaRegistryError
) -> SchemaRefused:
    if error.http_status_code == INVALID:
        return SchemaRefused(
            f"{subject}: the registry does not accept this as a JSON Schema: {error.error_message}",
            cure='give it "type": "object" and "properties"',
        )
    old = _schema(client.get_latest_version(subject).schema.schema_str)
    faults = explain_refusal(error.error_message, old=old, new=schema)
    return SchemaRefused(
        f"{subject}: the new schema is not backward compatible\n  " + "\n  ".join(faults),
        cure="only add optional fields or loosen rules; for any other change, create a new topic",
    )


def _schema(text: str | None) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(text or "{}")
    return schema


@contextmanager
def _found(what: str, cure: str) -> Iterator[None]:
    """Raise the registry's "not found" within the block as a ConfigError."""
    from confluent_kafka.schema_registry import SchemaRegistryError

    try:
        yield
    except SchemaRegistryError as error:
        if error.http_status_code != NOT_FOUND:
            raise
        raise ConfigError(what, cure=cure) from error


@contextmanager
def _client(settings: Settings) -> Iterator[SchemaRegistryClient]:
    """A client whose errors become a ServiceError."""
    from confluent_kafka.schema_registry import SchemaRegistryError

    where = settings.schema_registry_url
    local = settings.registry_url is None
    start = "rtlib up" if local else "check RTLIB_REGISTRY_URL"
    check = "rtlib down && rtlib up" if local else "check RTLIB_REGISTRY_USERNAME and RTLIB_REGISTRY_PASSWORD"
    try:
        with registry_client(settings) as client:
            yield client
    except _transport_errors() as error:
        detail = f"{type(error).__name__}: {error}"
        raise ServiceError(f"the schema registry at {where} does not answer ({detail})", cure=start) from error
    except SchemaRegistryError as error:
        sign_in = error.http_status_code in (401, 403)
        cure = check if sign_in else "rtlib logs registry"
        raise ServiceError(f"the schema registry at {where} refused: {error}", cure=cure) from error


def _transport_errors() -> tuple[type[Exception], ...]:
    """The client's errors when nothing answers; it uses httpx2 where that is installed, else httpx."""
    libraries = [importlib.import_module(name) for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]
    return tuple(library.HTTPError for library in libraries)
