"""Whom the registry of a running stack answers. Every request here knows the path; most lack something else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import requests

from rtlib.broker.registry import registry_options, subjects
from rtlib.config import Settings

pytestmark = pytest.mark.integration

SCHEMA = {"schema": '{"type": "object"}', "schemaType": "JSON"}
EVIL = "evil.example"
OWNER = "the owner's secret"


def of_owner(settings: Settings) -> tuple[str, str]:
    """User and password of the registry."""
    user, password = registry_options(settings)["basic.auth.user.info"].split(":")
    return user, password


REFUSED: list[tuple[str, Mapping[str, str], object, int]] = [
    ("no secret", {}, None, 401),
    ("another secret", {}, ("rtlib", "x" * 43), 401),
    ("another user", {}, ("admin", "admin"), 401),
    ("a foreign host", {"Host": EVIL}, OWNER, 403),
    ("a foreign host on the right port", {"Host": f"{EVIL}:{{port}}"}, OWNER, 403),
    ("a foreign origin", {"Origin": f"http://{EVIL}"}, OWNER, 403),
    ("the origin of a sandboxed frame", {"Origin": "null"}, OWNER, 403),
    ("another local server's origin", {"Origin": "http://127.0.0.1:1"}, OWNER, 403),
    ("a page whose own name resolves here", {"Origin": f"http://{EVIL}", "Host": EVIL}, OWNER, 403),
    ("such a page without the secret", {"Origin": f"http://{EVIL}", "Host": EVIL}, None, 401),
]


@pytest.mark.parametrize(
    ("headers", "sign_in", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_the_registry_refuses_and_changes_nothing(
    settings: Settings, headers: Mapping[str, str], sign_in: object, status: int
) -> None:
    url, before = settings.schema_registry_url, subjects(settings)
    sent = {name: value.format(port=settings.ports["registry"]) for name, value in headers.items()}
    auth = of_owner(settings) if sign_in == OWNER else sign_in
    calls = [
        ("GET", "/subjects", None),
        ("GET", "/schemas/types", None),
        ("POST", "/subjects/stranger-value/versions", SCHEMA),
        ("PUT", f"/config/{before[0]}", {"compatibility": "NONE"}),
        ("DELETE", f"/subjects/{before[0]}", None),
    ]
    answers = [
        requests.request(method, url + path, json=body, headers=sent, auth=auth, timeout=10)  # type: ignore[arg-type]
        for method, path, body in calls
    ]
    assert {answer.status_code for answer in answers} == {status}
    assert not any(answer.content for answer in answers)
    assert subjects(settings) == before
    kept = requests.get(f"{url}/config/{before[0]}", auth=of_owner(settings), timeout=10)
    assert kept.json() == {"compatibilityLevel": "BACKWARD"}


@pytest.mark.parametrize(
    "path",
    ["/", "/apis", "/apis/ccompat/v7", "/apis/ccompat/v6/subjects", "/apis/registry/v3/admin/export", "/health", "/q"],
)
def test_the_registry_answers_confluents_api_alone(settings: Settings, path: str) -> None:
    url = f"http://127.0.0.1:{settings.ports['registry']}{path}"
    assert requests.get(url, timeout=10).status_code == 401
    assert requests.get(url, auth=of_owner(settings), timeout=10).status_code == 403


def test_the_registry_reads_no_more_than_a_schema_can_need(settings: Settings) -> None:
    body = {**SCHEMA, "schema": " " * 3_000_000}
    url = f"{settings.schema_registry_url}/subjects/stranger-value/versions"
    assert requests.post(url, json=body, auth=of_owner(settings), timeout=10).status_code == 413
