"""Warehouse process: fakesnow's server over DuckDB files, for the local stack.

Run as ``python -m rtlib.services.fakesnow --port N --home DIR``. It answers on 127.0.0.1 what the Snowflake
connector asks, once that has signed in with the secret of ``DIR/secrets.json``. What has been committed is in
``DIR/warehouse/RTLIB.db`` and its log beside it, and outlives a ``kill -9``. No statement reaches another file than
those on the stages, for DuckDB is closed to them before the first client asks.
"""

from __future__ import annotations

import argparse
import logging
import os
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

from rtlib import private
from rtlib.http_guard import Guard
from rtlib.run_state import read_secret
from rtlib.services import fakesnow_patches
from rtlib.services.fakesnow_http import NAME, Door, Watched
from rtlib.services.warehouse_file import FileWatch

LOG = logging.getLogger(__name__)
DATABASE = "RTLIB"
MAX_BODY_BYTES = 32 * 1_048_576  # a statement and its bindings
MAX_UPLOAD_BYTES = 1_073_741_824
MEMORY_MB = 160
THREADS = 2
IDLE_SECONDS = 900.0
MOST_SESSIONS = 64
LOOK_SECONDS = 5.0  # how often sessions are counted


def open_files(data: Path, *, database: str = DATABASE, memory_mb: int = MEMORY_MB) -> Any:
    """Open the database files under ``data``, and close DuckDB to every other file but those on the stages.

    Args:
        data: Folder of the files; made when missing.
        database: A database to open, made when missing; those that have a file are opened too. No others can be
            opened later.
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
        private.make_folder(folder)
    # fakesnow made itself a folder among the system's temporary ones when it was imported, and never removes it.
    shutil.rmtree(stage.LOCAL_BUCKET_PATH, ignore_errors=True)
    stage.LOCAL_BUCKET_PATH = str(stages.resolve())
    instance = FakeSnow(db_path=data)
    instance.results_cache = fakesnow_patches.Newest()
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
    _set(instance.duck_conn, limits)
    # Attached now, so that replaying the log of a killed process is over before the first client asks.
    for name in {database.upper(), *(path.stem for path in data.glob("*.db") if NAME.fullmatch(path.stem))}:
        instance.connect(name)
    _close(instance.duck_conn, stages.resolve())
    return instance


def _close(connection: Any, stages: Path) -> None:
    """Close DuckDB to files, extensions, and changes of its settings; nothing can open it again.

    DuckDB itself adds the files of the databases that are attached, and the folder it spills into.
    """
    closed = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "python_enable_replacements": False,  # tables out of this process's variables
        "allowed_directories": [f"{stages}/"],
        "enable_external_access": False,
        "lock_configuration": True,  # the last, of course
    }
    _set(connection, closed)


def _set(connection: Any, values: dict[str, Any]) -> None:
    from sqlglot import exp

    for name, value in values.items():
        connection.execute(f"SET GLOBAL {name} = {exp.convert(value).sql(dialect='duckdb')}")


def databases(instance: Any) -> list[str]:
    """The databases that clients may use, by name."""
    sql = "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL"
    return [name for (name,) in instance.duck_conn.execute(sql).fetchall()]


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
        seen.pop(token, None)
        if session := sessions.pop(token, None):  # its client may have ended it this moment
            session.close()
    return idle


def sweep(stages: Path, *, older_than_seconds: float) -> None:
    """Remove what is left on the stages of tables that are gone; Snowflake drops it with the table."""
    limit = time.time() - older_than_seconds
    for path in sorted(stages.rglob("*"), reverse=True):
        # Gone meanwhile, or a folder that is not empty: then it is not ours to remove.
        with suppress(OSError):
            if path.stat().st_mtime < limit:
                path.rmdir() if path.is_dir() else path.unlink()


def serve(home: Path, *, port: int, database: str = DATABASE, idle_seconds: float = IDLE_SECONDS) -> None:
    """Answer on 127.0.0.1 until a TERM or an INT signal, then write everything to the database file.

    Raises:
        SystemExit: There is no secret in the state folder, or the database's name is not a plain identifier.
    """
    import uvicorn

    secret = read_secret(home, "warehouse")
    if secret is None:
        raise SystemExit(f"there is no secret for the warehouse in {home}. Cure: rtlib down && rtlib up")
    if not NAME.fullmatch(database):
        raise SystemExit(f"database {database!r} is not a plain identifier. Cure: set RTLIB_SNOWFLAKE_DATABASE")
    # Not "from fakesnow import server": that name is a function of the package as well.
    server: Any = import_module("fakesnow.server")
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    server.logger.setLevel(logging.CRITICAL)  # what it would say is said once, by the mends
    fakesnow_patches.apply()
    data = private.make_folder(home / "warehouse")
    watch = FileWatch(data, database)
    cursor: Any = import_module("fakesnow.cursor").FakeSnowflakeCursor
    cursor.execute = watch.noting_damage(cursor.execute)
    instance = server.shared_fs = watch.open(lambda: open_files(data, database=database))
    known = databases(instance) if instance else []
    seen: dict[str, float] = {}
    stop = threading.Event()

    def keep_house() -> None:
        while not stop.wait(min(LOOK_SECONDS, idle_seconds)):
            try:
                forget_idle_sessions(server.sessions, seen, idle_seconds=idle_seconds)
                sweep(data / "stages", older_than_seconds=idle_seconds)
            except Exception as error:  # a session that cannot be closed must not end the housekeeping
                LOG.warning("the housekeeping failed, and goes on", exc_info=error)

    threading.Thread(target=keep_house, name="housekeeper", daemon=True).start()
    door = Door(server, secret=secret, databases=known, stages=data / "stages", damage=lambda: watch.damage)
    watched = Watched(door.application(), server.sessions, seen)
    app = Guard(watched, max_body_bytes=MAX_BODY_BYTES, max_upload_bytes=MAX_UPLOAD_BYTES)
    # Uvicorn ends in order at a TERM and then sends it once more, which without this would end the process here.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=2)
    finally:
        stop.set()
        for session in list(server.sessions.values()):
            session.close()
        if instance and not watch.damage:
            for name in set(known) - {database.upper()}:  # that one is the watch's
                instance.duck_conn.execute(f"CHECKPOINT {name}")
        watch.close()


def main(words: Sequence[str] | None = None) -> None:
    """The command line of the warehouse process."""
    parser = argparse.ArgumentParser(prog="python -m rtlib.services.fakesnow", description="the local warehouse")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--home", type=Path, required=True, help="the state folder: secret and database files")
    parser.add_argument("--database", default=DATABASE, help="made when missing")
    arguments = parser.parse_args(words)
    os.umask(0o077)  # DuckDB's files are the owner's alone
    serve(arguments.home, port=arguments.port, database=arguments.database)


if __name__ == "__main__":
    main()
