"""The local warehouse as a process, for tests that need one."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.errors import WarehouseUnreachable
from rtlib.running import make_secrets

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


class WarehouseServer:
    """The warehouse process over files in a folder, and what a test does to it."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        home.mkdir(parents=True, exist_ok=True)
        (home / "ports.json").write_text(json.dumps({"warehouse": self.port}))
        make_secrets(home)
        self.home = home
        self.settings = Settings(home=home, part="warehouse")  # as a part, for no supervisor runs it
        self.data = home / "warehouse"

    def start(self) -> None:
        """Start it and wait until it answers a query."""
        from rtlib.warehouse.connection import query

        words = (sys.executable, "-m", "rtlib.services.fakesnow", "--port", str(self.port), "--home", str(self.home))
        self.process = subprocess.Popen(words)
        patiently = Retrying(
            retry=retry_if_exception_type(WarehouseUnreachable),
            wait=wait_fixed(0.1),
            stop=stop_after_delay(30),
            reraise=True,
        )
        connection = patiently(self.connect)
        assert query(connection, "select 1 as one") == [{"one": 1}]
        connection.close()

    def connect(self) -> SnowflakeConnection:
        """A new session."""
        from rtlib.warehouse.connection import connect

        return connect(self.settings)

    def share_with(self, home: Path) -> None:
        """Let another state folder use this warehouse: its port and its secrets."""
        for name in ("ports.json", "secrets.json"):
            shutil.copy(self.settings.home / name, home)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """End it as the supervisor does."""
        self.process.terminate()
        self.process.wait(10)
