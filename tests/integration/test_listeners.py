"""The table of listeners is true of the running stack: strangers are refused, and no secret is in sight."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from rtlib.broker.registry import subjects
from rtlib.config import Settings
from rtlib.pipeline.workers.receiver import receiver_address
from rtlib.services import processes
from rtlib.services.listeners import listener
from support.stack import Stack, ask

pytestmark = pytest.mark.integration

EVIL = "evil.example"


@dataclass(frozen=True)
class Target:
    """A request that would change something if it were the owner's, and what tells whether it did."""

    path: str
    body: Any
    state: Callable[[Settings], Any]


def cards(settings: Settings) -> Any:
    address = receiver_address(settings)
    return [
        card
        for card in requests.get(address.cards, headers=address.headers(), timeout=10).json()
        if "of-a-stranger" in json.dumps(card)
    ]


CARD = {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "id": "of-a-stranger", "text": "x"}]}
MESSAGE = {
    "type": "message",
    "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": CARD}],
}
SCHEMA = {"schema": '{"type": "object"}', "schemaType": "JSON"}
SIGN_IN = {"data": {"SESSION_PARAMETERS": {}, "LOGIN_NAME": "x", "PASSWORD": "x"}}
TARGETS = {
    "receiver": Target("/webhook/x", MESSAGE, cards),
    "registry": Target("/apis/ccompat/v7/subjects/of-a-stranger/versions", SCHEMA, subjects),
    "warehouse": Target(
        "/session/v1/login-request?databaseName=OF_A_STRANGER",
        SIGN_IN,
        lambda settings: ask(settings, "select database_name from information_schema.databases"),
    ),
}


@pytest.mark.parametrize("name", list(TARGETS))
@pytest.mark.parametrize(
    ("headers", "column"), [({"Host": EVIL}, "host"), ({"Origin": f"http://{EVIL}"}, "origin"), ({}, "secret")]
)
def test_a_stranger_is_refused_and_changes_nothing(
    stack: Stack, name: str, headers: Mapping[str, str], column: str
) -> None:
    target, row, settings = TARGETS[name], listener(name), stack.settings
    before = target.state(settings)
    url = f"http://127.0.0.1:{settings.ports[name]}{target.path}"
    answer = requests.post(url, json=target.body, headers=headers, timeout=10)
    assert answer.status_code in (401, 403)
    if column != "secret" and name != "registry":  # the registry asks for the secret first
        assert str(answer.status_code) == getattr(row, column)
    assert target.state(settings) == before


def test_no_secret_is_on_a_command_line_in_a_variable_or_in_a_log(stack: Stack) -> None:
    settings = stack.settings
    address = receiver_address(settings)
    drawn = json.loads((settings.home / "secrets.json").read_text())
    hidden = [*drawn.values(), address.headers()["Authorization"].removeprefix("Bearer ")]
    stack.rtlib("status")  # asks each part something
    shown = {
        f"logs of {path.name}": path.read_text(errors="replace") for path in (settings.home / "logs").glob("*.log")
    }
    shown["the supervisor's configuration"] = (settings.home / "run" / "supervisord.conf").read_text()
    for name, found in processes.processes_of(settings.home):
        shown[f"the command of {name}"] = " ".join(found.cmdline())
        shown[f"the environment of {name}"] = json.dumps(found.environ())
    assert {where for where, text in shown.items() if any(secret in text for secret in hidden)} == set()


def test_the_receiver_s_cards_are_the_owner_s_alone(stack: Stack) -> None:
    folder = stack.settings.home / "receiver"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in folder.iterdir() if path.stat().st_mode & 0o077} == set()
