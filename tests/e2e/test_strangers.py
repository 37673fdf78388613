"""Pages of other origins, in a browser that has everything open, can read nothing and change nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar
from urllib.parse import quote

import psutil
import pytest
import requests
import uvicorn
from playwright.sync_api import BrowserContext, Page, Route, sync_playwright
from pydantic import SecretStr
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.alerts.address import ReceiverAddress
from rtlib.alerts.receiver import Receiver
from rtlib.alerts.receiver_web import web_app
from rtlib.services import voila
from rtlib.services.browser import find_browser
from rtlib.warehouse.connection import query
from support.app_page import QUIET
from support.served import environment, free_port, until_served, write_notebook
from support.warehouse_server import WarehouseServer

pytestmark = pytest.mark.e2e

EVIL = "evil.example"  # resolves to this machine in the browser
TOKEN = "the-token-of-the-app"
MESSAGE = {
    "type": "message",
    "attachments": [
        {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "id": "x", "text": "of a stranger"}]},
        }
    ],
}
# Everything that a page can send without a preflight; returns what it can read of the answers.
ATTACK = """async ({url, body}) => {
  const got = [];
  const within = (seconds, work) => Promise.race([work, new Promise(done => setTimeout(done, 1000 * seconds))]);
  for (const given of [
    {mode: "no-cors", credentials: "include"}, {credentials: "include"}, {method: "DELETE", credentials: "include"},
    {method: "POST", mode: "no-cors", credentials: "include", headers: {"Content-Type": "text/plain"}, body},
    {method: "POST", credentials: "include", headers: {"Content-Type": "application/json"}, body},
    {method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({body})},
  ]) {
    try {
      const answer = await fetch(url, given), text = await answer.text();
      if (answer.ok) got.push(`${given.method ?? "GET"} ${answer.status} ${text.slice(0, 200)}`);
    } catch {}
  }
  await within(5, new Promise(done => {
    const frame = document.createElement("iframe"), form = document.createElement("form");
    frame.name = "hidden" + Math.random();
    Object.assign(form, {action: url, method: "POST", enctype: "text/plain", target: frame.name});
    form.append(Object.assign(document.createElement("input"), {name: body, value: ""}));
    document.body.append(frame, form);
    frame.onload = done;
    form.submit();
  }));
  await within(5, new Promise(done => {
    const frame = Object.assign(document.createElement("iframe"), {src: url});
    frame.onload = done;
    document.body.append(frame);
  }));
  for (const kind of ["img", "script"]) await within(5, new Promise(done => {
    const element = document.createElement(kind);
    element.onload = () => { got.push(kind); done(); };
    element.onerror = done;
    element.src = url;
    document.body.append(element);
  }));
  const ws = url.replace("http", "ws");
  for (const made of [() => new EventSource(url, {withCredentials: true}), () => new WebSocket(ws)])
    await within(5, new Promise(done => {
      const connection = made();
      connection.onopen = () => { got.push(connection.constructor.name); connection.close(); done(); };
      connection.onerror = () => { connection.close(); done(); };
    }));
  return got;
}"""


class OpenHandler(BaseHTTPRequestHandler):
    """The stranger's own server, which answers every request and records it."""

    requests: ClassVar[list[tuple[str, str, str]]] = []

    def do_GET(self) -> None:  # noqa: N802
        self._answer("")

    def do_POST(self) -> None:  # noqa: N802
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, body: str) -> None:
        self.requests.append((self.command, self.headers["Content-Type"] or "", body))
        self.send_response(200)
        kinds = {"script": "text/javascript"}  # the browser blocks any other type for another origin
        events = self.headers["Accept"] == "text/event-stream"
        kind = "text/event-stream" if events else kinds.get(self.headers["Sec-Fetch-Dest"] or "", "text/html")
        self.send_header("Content-Type", kind)
        self.send_header("Access-Control-Allow-Origin", self.headers["Origin"] or "*")
        self.send_header("Access-Control-Allow-Credentials", "true")
        self.end_headers()
        self.wfile.write(b"" if kind == "text/javascript" else b"<!doctype html><body>")

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def stranger() -> Iterator[int]:
    """The port of a stranger's server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), OpenHandler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@pytest.fixture(scope="module")
def receiver() -> Iterator[tuple[Receiver, ReceiverAddress]]:
    receiver, secret, listening = Receiver(), SecretStr("the-secret"), socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(web_app(receiver, secret), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    yield receiver, ReceiverAddress(f"http://127.0.0.1:{listening.getsockname()[1]}", secret)
    server.should_exit = True
    thread.join(timeout=10)


@dataclass
class App:
    """Voilà as ``rtlib app`` starts it."""

    url: str
    process: subprocess.Popen[bytes]
    log: str
    kernel: str = ""

    def kernels(self) -> set[int]:
        return {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    notebook = write_notebook(folder, "import os; print('asked for', os.environ['QUERY_STRING'] or 'nothing')")
    (folder / "picture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    voila.write_config(folder / "run", token=SecretStr(TOKEN), host="proxy.example")
    log = folder / "voila.log"
    variables = voila.environment(environment(folder), config=folder / "run")
    with log.open("w") as out:
        command = voila.command(notebook, port=port, closed=True)
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, env=variables)
    url = f"http://127.0.0.1:{port}"
    until_served(f"{url}/voila/static/", process)
    yield App(url, process, str(log))
    process.terminate()
    process.wait(timeout=30)


@pytest.fixture(scope="module")
def owner(app: App, receiver: tuple[Receiver, ReceiverAddress]) -> Iterator[BrowserContext]:
    """The owner's browser, with the app and the cards open."""
    executable = find_browser()
    assert executable is not None, "no browser: 'rtlib doctor --browser --install' finds or installs one"
    with sync_playwright() as playwright:
        # New browsers protect local servers from foreign pages; the servers must not depend on that.
        unprotected = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"
        options = [*QUIET, f"--host-resolver-rules=MAP {EVIL} 127.0.0.1", unprotected]
        browser = playwright.chromium.launch(executable_path=str(executable), args=options)
        context = browser.new_context()
        opened = context.new_page()
        opened.goto(f"{app.url}/?token={TOKEN}&node=alerts")
        opened.get_by_text("asked for").wait_for(timeout=60_000)
        app.kernel = json.loads(opened.locator("#jupyter-config-data").inner_text())["kernelId"]
        context.new_page().goto(receiver[1].page.get_secret_value())
        yield context
        browser.close()


def foreign_page(owner: BrowserContext, origin: str, strangers_port: int) -> Page:
    """A page of this origin. If one of our servers listens there, the page is loaded before the name points to it."""
    opened = owner.new_page()
    address = f"{origin}/of-a-stranger"

    def fill(route: Route) -> None:
        route.fulfill(body="<!doctype html><body>", content_type="text/html")

    if not origin.endswith(f":{strangers_port}"):
        owner.route(address, fill)
    opened.goto(address)
    owner.unroute_all()
    return opened


def attack(opened: Page, urls: list[str], body: str) -> list[str]:
    """What the page could read."""
    return [f"{url}: {got}" for url in urls for got in opened.evaluate(ATTACK, {"url": url, "body": body})]


def origins(stranger: int, base: str) -> list[tuple[str, str]]:
    """Foreign origins, and the address by which each calls the server: another port, another name, DNS rebinding."""
    port = base.rpartition(":")[2]
    return [
        (f"http://127.0.0.1:{stranger}", base),
        (f"http://{EVIL}:{stranger}", base),
        (f"http://{EVIL}:{port}", f"http://{EVIL}:{port}"),
    ]


def test_a_server_that_refuses_nothing_would_be_reached(owner: BrowserContext, stranger: int) -> None:
    for origin in (f"http://{EVIL}:{stranger}", f"http://127.0.0.1:{free_port()}"):
        OpenHandler.requests.clear()
        opened = foreign_page(owner, origin, stranger)
        got = attack(opened, [f"http://127.0.0.1:{stranger}/"], "a-body")
        opened.close()
        assert {"GET 200 <!doctype html><body>", "script", "EventSource"} <= {line.partition("/: ")[2] for line in got}
        kinds = {(kind, body) for method, kind, body in OpenHandler.requests if method == "POST"}
        assert {("text/plain", "a-body"), ("text/plain", "a-body=\r\n")} <= kinds
        assert ("application/x-www-form-urlencoded;charset=UTF-8", "body=a-body") in kinds


def test_no_other_page_reads_or_sends_a_card(
    owner: BrowserContext, receiver: tuple[Receiver, ReceiverAddress], stranger: int
) -> None:
    server, address = receiver
    webhook = address.webhook.get_secret_value().removeprefix(address.base)  # even if it had the secret
    for origin, base in origins(stranger, address.base):
        opened = foreign_page(owner, origin, stranger)
        paths = ["/", "/cards", "/webhook", webhook, "/web/cards.js"]
        assert attack(opened, [base + path for path in paths if origin != address.base], json.dumps(MESSAGE)) == []
        opened.close()
    assert not server.cards


def test_no_other_page_reads_the_app_or_starts_or_ends_a_kernel(owner: BrowserContext, app: App, stranger: int) -> None:
    before = app.kernels()
    assert before
    for origin, base in origins(stranger, app.url):
        opened = foreign_page(owner, origin, stranger)
        kernel = f"/api/kernels/{app.kernel}"
        paths = ["/", kernel, f"{kernel}/channels", f"/voila/api/shutdown/{app.kernel}", "/voila/files/picture.svg"]
        assert attack(opened, [base + path for path in paths], "{}") == []
        opened.close()
    assert app.kernels() == before


def test_no_other_page_reaches_the_warehouse(
    owner: BrowserContext, warehouse_server: WarehouseServer, stranger: int
) -> None:
    base = f"http://127.0.0.1:{warehouse_server.port}"
    name = quote("X'; CREATE TABLE RTLIB.MAIN.OF_A_STRANGER (A INT); --")
    body = json.dumps({"data": {"SESSION_PARAMETERS": {}}})
    for origin, address in origins(stranger, base):
        opened = foreign_page(owner, origin, stranger)
        paths = [f"/session/v1/login-request?databaseName={name}", "/queries/v1/query-request"]
        assert attack(opened, [address + path for path in paths], body) == []
        opened.close()
    connection = warehouse_server.connect()
    created = query(connection, "select table_name from information_schema.tables where table_name = 'OF_A_STRANGER'")
    connection.close()
    assert created == []


def test_the_token_disappears_from_the_address_and_is_in_no_command_line_log_or_kernel(
    owner: BrowserContext, app: App
) -> None:
    opened = owner.pages[0]
    assert opened.url == f"{app.url}/?node=alerts"
    assert opened.get_by_text("asked for").inner_text().strip() == "asked for node=alerts"
    requests.get(f"{app.url}/nowhere?token={TOKEN}", headers={"Host": EVIL}, timeout=10)
    requests.get(f"{app.url}/voila/files/nowhere?token={TOKEN}", timeout=10)
    processes = [psutil.Process(app.process.pid), *psutil.Process(app.process.pid).children(recursive=True)]
    texts = [" ".join(process.cmdline()) + json.dumps(process.environ()) for process in processes]
    assert not any(TOKEN in text for text in [*texts, Path(app.log).read_text()])


def test_the_key_disappears_from_the_address_of_the_cards_and_a_reload_still_shows_them(
    owner: BrowserContext, receiver: tuple[Receiver, ReceiverAddress]
) -> None:
    opened = owner.pages[1]
    assert opened.url == f"{receiver[1].base}/"
    opened.reload()
    opened.get_by_text("Waiting for the first card").wait_for()


def test_the_cookies_of_the_app_and_of_the_cards_have_names_of_their_own(owner: BrowserContext) -> None:
    cookies = [cookie for cookie in owner.cookies() if cookie["name"] != "_xsrf"]
    assert len({cookie["name"] for cookie in cookies}) == len(cookies) == 2
    assert all(cookie["httpOnly"] for cookie in cookies)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/kernels/{kernel}", {}, 403),
        ("/voila/files/picture.svg", {}, 403),
        ("/", {}, 401),
        ("/?token=another", {}, 401),
        ("/voila/render/app.ipynb", {}, 401),
        ("/?token={token}", {"Host": EVIL}, 403),
        ("/?token={token}", {"Origin": "http://127.0.0.1:1"}, 403),
        ("/?token={token}", {"Origin": "null"}, 403),
        ("/?token={token}", {"Host": "proxy.example"}, 302),  # the name in RTLIB_APP_URL
    ],
)
def test_the_app_answers_only_its_owner(
    owner: BrowserContext, app: App, path: str, headers: dict[str, str], status: int
) -> None:
    before = app.kernels()
    url = app.url + path.format(kernel=app.kernel, token=TOKEN)
    answer = requests.get(url, headers=headers, timeout=10, allow_redirects=False)
    assert answer.status_code == status
    assert app.kernels() == before


def test_a_person_without_the_token_is_led_to_the_sign_in_page(owner: BrowserContext, app: App) -> None:
    assert owner.browser
    with owner.browser.new_context() as stranger:
        page = stranger.new_page()
        page.goto(f"{app.url}/?node=kafka&token=wrong")
        page.wait_for_url("**/login?next=%2F%3Fnode%3Dkafka")
        page.locator("input[type=password]").wait_for()


def test_a_kernel_listens_on_no_port_that_other_users_can_read(owner: BrowserContext, app: App) -> None:
    """Its single port receives the output of forked children; each message has an id that only they know."""
    for pid in app.kernels():
        connections = psutil.Process(pid).net_connections("inet")
        assert [each.laddr.ip for each in connections if each.status == "LISTEN"] == ["127.0.0.1"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, int]]:
    """JupyterLab as ``rtlib lab`` starts it: its address, its token, and its process.

    Its runtime folder has a name too long for sockets, as below a long home folder, so its kernels use a short one.
    """
    folder = tmp_path_factory.mktemp("lab")
    long = {"JUPYTER_RUNTIME_DIR": str(folder / ("runtime-" * 12)), "RTLIB_HOME": str(folder / "home")}
    with (folder / "lab.log").open("w") as out, TemporaryDirectory(dir="/tmp") as short:
        variables = {**environment(folder), **long, "TMPDIR": short}
        command = [sys.executable, "-m", "rtlib", "lab", "--no-browser"]
        process = subprocess.Popen(command, stdout=out, stderr=out, env=variables)

        @retry(retry=retry_if_result(lambda files: not files), wait=wait_fixed(0.2), stop=stop_after_delay(90))
        def started() -> list[Path]:
            return list(Path(short).glob("rtlib-*/jpserver-*.json"))

        try:
            server = json.loads(started()[0].read_text())
            yield server["url"].rstrip("/"), server["token"], process.pid
        finally:
            process.terminate()
            process.wait(timeout=30)


def command_lines(pid: int) -> dict[psutil.Process, list[str]]:
    """The command line of a process and of its descendants; processes that end meanwhile are left out."""
    found = {}
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            found[process] = process.cmdline()
    return found


def test_the_lessons_server_answers_only_its_owner_and_its_kernels_listen_on_no_port(
    lab: tuple[str, str, int],
) -> None:
    url, token, pid = lab
    owner = requests.Session()
    assert owner.get(f"{url}/api/kernels", headers={"Authorization": f"token {token}"}, timeout=30).json() == []
    cookie = "; ".join(f"{each.name}={each.value}" for each in owner.cookies)
    for headers, status in (
        ({}, 403),
        ({"Authorization": "token another"}, 403),
        ({"Authorization": f"token {token}", "Host": EVIL}, 403),
        ({"Cookie": cookie, "Origin": f"http://{EVIL}"}, 404),
        ({"Cookie": cookie, "Origin": "http://127.0.0.1:1"}, 404),
        ({"Cookie": cookie, "Content-Type": "text/plain"}, 403),  # as sent by a form or a page without CORS
    ):
        answer = requests.post(f"{url}/api/kernels", data="{}", headers=headers, timeout=30)
        assert answer.status_code == status, headers
    signed_in = {"Authorization": f"token {token}"}
    assert requests.get(f"{url}/api/kernels", headers=signed_in, timeout=30).json() == []
    requests.post(f"{url}/api/kernels", data="{}", headers=signed_in, timeout=30).raise_for_status()
    commands = command_lines(pid)
    (kernel,) = [process for process, words in commands.items() if "ipykernel_launcher" in words]
    info = json.loads(Path(commands[kernel][-1]).read_text())
    assert info["transport"] == "ipc"
    assert Path(info["ip"]).parent.stat().st_mode & 0o777 == 0o700
    assert not any(token in " ".join(words) for words in commands.values())
