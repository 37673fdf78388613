"""Another user of the same machine, against the running stack: nothing can be read, changed or ended.

The user is ``nobody``, whose id a test that runs as root can take; elsewhere these tests are skipped.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rtlib.config import USUAL_PORTS
from rtlib.services import processes
from support.stack import Stack

pytestmark = pytest.mark.integration
PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3")  # that of a virtual environment may be out of their reach

# Everything a stranger can try with the standard library alone. Prints what was had, as JSON.
READ = """
import json, pathlib, sys
had = {}
for name in sys.argv[1:]:
    path = pathlib.Path(name)
    try:
        had[name] = len(list(path.iterdir())) if path.is_dir() else len(path.read_bytes())
    except OSError as error:
        had[name] = type(error).__name__
print(json.dumps(had))
"""
REQUEST = """
import http.client, json, sys
answers = []
for port, method, path, body, headers in json.loads(sys.stdin.read()):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answers.append([answer.status, answer.read(2000).decode(errors="replace")])
    connection.close()
print(json.dumps(answers))
"""
SIGNAL = """
import json, os, sys
had = {}
for word in sys.argv[1:]:
    try:
        os.kill(int(word), 0)
        had[word] = "may"
    except PermissionError:
        had[word] = "may not"
print(json.dumps(had))
"""


def as_nobody(program: str, *words: str, stdin: str = "") -> Any:
    """Run a Python program as ``nobody`` and return the JSON it prints."""
    python = next((path for path in PYTHONS if Path(path).exists()), None) or shutil.which("python3", path="/usr/bin")
    if os.geteuid() != 0 or python is None:
        pytest.skip("another user cannot be made here: the tests do not run as root, or there is no Python for all")
    nobody = pwd.getpwnam("nobody")
    done = subprocess.run(
        (python, "-c", program, *words),
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        cwd="/",
        env={},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_state_folder_and_every_secret_in_it_are_out_of_reach(stack: Stack) -> None:
    names = ("", "secrets.json", "run.json", "logs/stream.log", "warehouse/RTLIB.db", "kafka/server.properties")
    had = as_nobody(READ, *(str(stack.home / name) for name in names))
    assert set(had.values()) == {"PermissionError"}, had
    for place, folders, files in os.walk(stack.home):  # also where somebody opens the folder above by mistake
        for name in (*folders, *files):
            path = Path(place) / name
            assert path.is_symlink() or not path.exists() or path.stat().st_mode & 0o077 == 0, path


def test_no_process_of_the_stack_shows_a_secret_or_takes_a_signal(stack: Stack) -> None:
    ids = [str(process.pid) for _, process in processes.processes_of(stack.home)]
    secrets = json.loads((stack.home / "secrets.json").read_text()).values()
    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in ids]
    assert len(ids) >= 9 and not [line for line in lines for secret in secrets if secret in line]
    environments = as_nobody(READ, *(f"/proc/{pid}/environ" for pid in ids))
    assert set(environments.values()) == {"PermissionError"}
    assert set(as_nobody(SIGNAL, *ids).values()) == {"may not"}


LOGIN = {"data": {"ACCOUNT_NAME": "fakesnow", "LOGIN_NAME": "learner", "PASSWORD": "guessed"}}
FILE_TO_READ = "select * from read_text('{}')"


def test_no_http_port_answers_a_stranger(stack: Stack, tmp_path: Path) -> None:
    ports = stack.status()["ports"]
    kind = {"Content-Type": "application/json"}
    statement = json.dumps({"sqlText": FILE_TO_READ.format(stack.home / "secrets.json")})
    card = json.dumps({"type": "message", "attachments": []})
    signed = {**kind, "Authorization": 'Snowflake Token="guessed"'}
    requests = [
        [ports["warehouse"], "POST", "/session/v1/login-request", json.dumps(LOGIN), kind],
        [ports["warehouse"], "POST", "/queries/v1/query-request", statement, kind],
        [ports["warehouse"], "POST", "/queries/v1/query-request", statement, signed],
        [ports["receiver"], "POST", "/webhook", card, kind],
        [ports["receiver"], "GET", "/cards", None, {}],
        [ports["receiver"], "GET", "/", None, {}],
        [ports["registry"], "GET", "/apis/ccompat/v7/subjects", None, {}],
        [ports["registry"], "DELETE", f"/apis/ccompat/v7/subjects/{stack.settings.topic('events')}-value", None, {}],
        [ports["registry"], "GET", "/apis/registry/v3/system/info", None, {}],
    ]
    answers = as_nobody(REQUEST, stdin=json.dumps(requests))
    assert [status for status, _ in answers if status not in (401, 403, 404)] == [], answers
    assert set(ports) == set(USUAL_PORTS)
    assert stack.status()["healthy"]
