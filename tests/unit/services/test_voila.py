"""Voilà: its command and configuration, and the sign-in that hides the token and refuses foreign pages."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from rtlib.services import open_address, voila
from rtlib.services.voila_sign_in import is_foreign, without_token, without_tokens

HOST = "127.0.0.1:18866"
COMMAND = voila.command(Path("app.ipynb"), port=18866, closed=True)


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("/?token=x", "/"),
        ("/?token=x&node=alerts", "/?node=alerts"),
        ("/?node=a%26token%3Db&token=x", "/?node=a%26token%3Db"),
        ("/a/b?empty=&token=x&token=y", "/a/b?empty="),
        ("//evil.example/?token=x", "/"),
    ],
)
def test_an_address_keeps_everything_but_its_token_and_its_server(address: str, left: str) -> None:
    assert without_token(address) == left


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:18867"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_from_another_page_is_foreign(headers: dict[str, str]) -> None:
    assert is_foreign(headers, host=HOST)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": f"http://{HOST}"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"},
    ],
)
def test_requests_from_the_app_itself_and_followed_links_are_not_foreign(headers: dict[str, str]) -> None:
    assert not is_foreign(headers, host=HOST)


def test_a_log_line_does_not_quote_the_token(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("tornado.test")
    log.addFilter(without_tokens)
    log.warning("%d GET %s", 403, "/?token=top-secret&node=alerts")
    log.warning("no token")
    assert [record.getMessage() for record in caplog.records] == ["403 GET /?token=[secret]&node=alerts", "no token"]


def test_the_command_requires_a_token_without_naming_it() -> None:
    assert "--token" in COMMAND
    assert not [word for word in COMMAND if "token=" in word.lower()]


def test_the_configuration_of_a_run_is_private_and_extends_that_of_the_app(tmp_path: Path) -> None:
    voila.write_config(tmp_path / "run", token=SecretStr("top-secret"), host="proxy.example")
    file = tmp_path / "run" / "voila.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "top-secret" in file.read_text()
    assert all(
        word in file.read_text() for word in ("proxy.example", "ws_ping_interval", '"allow_remote_access": false')
    )
    variables = voila.environment({}, config=tmp_path / "run")
    assert variables["JUPYTER_CONFIG_PATH"].startswith(str(tmp_path / "run"))
    assert "top-secret" not in str(variables)


def test_kernels_use_sockets_if_their_paths_fit(tmp_path: Path) -> None:
    assert voila.kernel_sockets(Path("/tmp/voila_12345678")) == ["--KernelManager.transport=ipc"]
    assert voila.kernel_sockets(tmp_path / ("a" * 100)) == []


def test_kernels_move_to_a_short_folder_if_the_temporary_one_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / ("a" * 100)))
    command = voila.command(Path("app.ipynb"), port=1)
    assert "--Voila.connection_dir_root=/tmp" in command
    assert "--KernelManager.transport=ipc" in command


@pytest.mark.parametrize("release", ["6.8.0-generic", "5.15.167.4-microsoft-standard-WSL2"])
def test_a_browser_is_opened_with_a_private_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    opened: list[str] = []
    monkeypatch.setattr(open_address.webbrowser, "open", opened.append)
    monkeypatch.setattr(open_address.platform, "release", lambda: release)
    address = "http://127.0.0.1:1/?token=top-secret&node=a"
    open_address.open_address(SecretStr(address), folder=tmp_path)
    if "microsoft" in release:  # a Windows browser cannot read files in WSL
        assert opened == [address]
        return
    file = tmp_path / "open.html"
    assert opened == [file.as_uri()]
    assert "url=http://127.0.0.1:1/?token=top-secret&amp;node=a" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
