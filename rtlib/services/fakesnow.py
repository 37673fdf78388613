"""Warehouse process: fakesnow's server over DuckDB files, for the local stack.

Run as ``python -m rtlib.services.fakesnow --port N --data DIR``. It answers on 127.0.0.1 what the Snowflake
connector asks. What has been committed is in ``DIR/RTLIB.db`` and its log beside it, and outlives a ``kill -9``.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from rtlib.services import fakesnow_mends
from rtlib.services.warehouse_file import FileWatch

DATABASE = "RTLIB"
MEMORY_MB = 160
THREADS = 2
IDLE_SECONDS = 900.0
MOST_SESSIONS = 64
LOOK_SECONDS = 5.0  # how often sessions are counted


def open_files(data: Path, *, memory_mb: int = MEMORY_MB) -> Any:
    """Open the database files under ``data``.

    Args:
        data: Folder of the files; made when missing.
        memory_mb: What DuckDB may hold in memory, in MB; the process takes about 200 MB beside it.

    Returns:
        The FakeSnow instance that the server is to answer from.
    """
    from fakesnow.instance import FakeSnow
    from fakesnow.transforms import stage

    stages, spill = data / "stages", data / "spill"
    for folder in (stages, spill):
        # Left over from a process that was killed: files nobody will ask for again.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    # fakesnow made itself a folder among the system's temporary ones when it was imported, and never removes it.
    shutil.rmtree(stage.LOCAL_BUCKET_PATH, ignore_errors=True)
    stage.LOCAL_BUCKET_PATH = str(stages.resolve())
    instance = FakeSnow(db_path=data)
    instance.results_cache = fakesnow_mends.Newest()
    limits = {
        "memory_limit": f"{memory_mb}MB",
        "threads": THREADS,
        "temp_directory": str(spill),
        # What a large question needed is given back to the system soon after it.
        "allocator_background_threads": True,
        "allocator_flush_threshold": "16MB",
        # Order is what ORDER BY says, as in Snowflake; keeping it elsewhere costs memory.
        "preserve_insertion_order": False,
    }
    for name, value in limits.items():
        instance.duck_conn.execute(f"SET GLOBAL {name} = '{value}'")
    # Attached now, so that replaying the log of a killed process is over before the first client asks.
    instance.connect(DATABASE)
    return instance


def forget_idle_sessions(
    sessions: dict[str, Any], seen: dict[str, float], *, idle_seconds: float, most: int = MOST_SESSIONS
) -> list[str]:
    """Close the sessions that have not asked anything for a while, as Snowflake does.

    A client that was killed never closes its session, and what it had begun would hold old rows for ever. Where there
    are too many, those that were silent for longest are closed as well.

    Args:
        sessions: The server's sessions by token.
        seen: When each token was last used, in seconds of ``time.monotonic``.
        idle_seconds: How long a session may be silent.
        most: How many may be open.

    Returns:
        The tokens that were closed.
    """
    now = time.monotonic()
    by_silence = list(sessions)  # at once: the server changes it meanwhile
    by_silence.sort(key=lambda token: seen.setdefault(token, now))
    spare = len(by_silence) - most
    idle = [token for place, token in enumerate(by_silence) if place < spare or now - seen[token] > idle_seconds]
    for token in idle:
        sessions.pop(token).close()
        seen.pop(token, None)
    return idle


def sweep(stages: Path, *, older_than_seconds: float) -> None:
    """Remove what is left on the stages of tables that are gone; Snowflake drops it with the table."""
    limit = time.time() - older_than_seconds
    for path in sorted(stages.rglob("*"), reverse=True):
        # Gone meanwhile, or a folder that is not empty: then it is not ours to remove.
        with suppress(OSError):
            if path.stat().st_mtime < limit:
                path.rmdir() if path.is_dir() else path.unlink()


def serve(data: Path, *, port: int, idle_seconds: float = IDLE_SECONDS) -> None:
    """Answer on 127.0.0.1 until a TERM or an INT signal, then write everything to the database file."""
    import uvicorn

    # Not "from fakesnow import server": that name is a function of the package as well.
    server: Any = import_module("fakesnow.server")
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    server.logger.setLevel(logging.CRITICAL)  # what it would say is said once, by the mends
    fakesnow_mends.apply()
    watch = FileWatch(data, DATABASE)
    cursor: Any = import_module("fakesnow.cursor").FakeSnowflakeCursor
    cursor.execute = watch.noting_damage(cursor.execute)
    server.shared_fs = watch.open(lambda: open_files(data))
    seen: dict[str, float] = {}
    stop = threading.Event()

    def keep_house() -> None:
        while not stop.wait(min(LOOK_SECONDS, idle_seconds)):
            forget_idle_sessions(server.sessions, seen, idle_seconds=idle_seconds)
            sweep(data / "stages", older_than_seconds=idle_seconds)

    threading.Thread(target=keep_house, name="housekeeper", daemon=True).start()
    app = fakesnow_mends.Watched(watch.refusing(fakesnow_mends.application(server)), server.sessions, seen)
    # Uvicorn ends in order at a TERM and then sends it once more, which without this would end the process here.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=2)
    finally:
        stop.set()
        for session in list(server.sessions.values()):
            session.close()
        watch.close()


def main(words: Sequence[str] | None = None) -> None:
    """The command line of the warehouse process."""
    parser = argparse.ArgumentParser(prog="python -m rtlib.services.fakesnow", description="the local warehouse")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the database files")
    arguments = parser.parse_args(words)
    serve(arguments.data, port=arguments.port)


if __name__ == "__main__":
    main()
