"""Warehouse process: fakesnow's server over DuckDB files, for the local stack.

Run as ``python -m rtlib.services.fakesnow --port N --home DIR``. It serves the Snowflake connector on 127.0.0.1, after
a sign-in with the secret in ``DIR/secrets.json``. Committed data is in ``DIR/warehouse/RTLIB.db`` and the log beside
it, and survives a ``kill -9``. Statements can reach only files on the stages: DuckDB is closed to all others before
the first client connects.
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
from rtlib.services.fakesnow_http import NAME, CheckedHandlers, SessionMiddleware
from rtlib.services.warehouse_file import FileWatch

LOG = logging.getLogger(__name__)
DATABASE = "RTLIB"
MAX_BODY_BYTES = 32 * 1_048_576  # a statement and its bindings
MAX_UPLOAD_BYTES = 1_073_741_824
MEMORY_MB = 160
THREADS = 2
IDLE_SECONDS = 900.0
MAX_SESSIONS = 64
HOUSEKEEPING_SECONDS = 5.0


def open_files(data: Path, *, database: str = DATABASE, memory_mb: int = MEMORY_MB) -> Any:
    """Open the database files under ``data``, and close DuckDB to every other file except those on the stages.

    Args:
        data: Folder of the files; created if it is missing.
        database: A database to open, created if it is missing. All databases that have a file are opened too; others
            cannot be opened later.
        memory_mb: DuckDB's memory limit, in MB; the process takes about 200 MB more.

    Returns:
        The FakeSnow instance for the server.
    """
    from fakesnow.instance import FakeSnow
    from fakesnow.transforms import stage

    stages, spill = data / "stages", data / "spill"
    for folder in (stages, spill):
        # Files left by a process that was killed; no client will read them.
        shutil.rmtree(folder, ignore_errors=True)
        private.make_folder(folder)
    # fakesnow creates a temporary folder when it is imported, and never removes it.
    shutil.rmtree(stage.LOCAL_BUCKET_PATH, ignore_errors=True)
    stage.LOCAL_BUCKET_PATH = str(stages.resolve())
    instance = FakeSnow(db_path=data)
    instance.results_cache = fakesnow_patches.NewestEntries()
    limits = {
        "memory_limit": f"{memory_mb}MB",
        "threads": THREADS,
        "temp_directory": str(spill),
        # Memory of a large query is returned to the system soon afterwards.
        "allocator_background_threads": True,
        "allocator_flush_threshold": "16MB",
        # Without it DuckDB 2.0 loses the order of ORDER BY where a result of its DB-API becomes an Arrow table, as in
        # fakesnow, if the result has more than 2,048 rows and there is more than one thread.
        "preserve_insertion_order": True,
    }
    _set(instance.duck_conn, limits)
    # Attached now, so that the log of a killed process is replayed before the first client connects.
    for name in {database.upper(), *(path.stem for path in data.glob("*.db") if NAME.fullmatch(path.stem))}:
        instance.connect(name)
    _close(instance.duck_conn, stages.resolve())
    return instance


def _close(connection: Any, stages: Path) -> None:
    """Close DuckDB to files, extensions and changes of its settings, irrevocably.

    DuckDB itself allows the files of attached databases and its spill folder.
    """
    restrictions = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "python_enable_replacements": False,  # tables from this process's Python variables
        "allowed_directories": [f"{stages}/"],
        "enable_external_access": False,
        "lock_configuration": True,  # must be last
    }
    _set(connection, restrictions)


def _set(connection: Any, values: dict[str, Any]) -> None:
    from sqlglot import exp

    for name, value in values.items():
        connection.execute(f"SET GLOBAL {name} = {exp.convert(value).sql(dialect='duckdb')}")


def databases(instance: Any) -> list[str]:
    """The names of the databases that clients may use."""
    sql = "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL"
    return [name for (name,) in instance.duck_conn.execute(sql).fetchall()]


def close_idle_sessions(
    sessions: dict[str, Any], last_used: dict[str, float], *, idle_seconds: float, limit: int = MAX_SESSIONS
) -> list[str]:
    """Close sessions without a recent request, like Snowflake does.

    A client that was killed never closes its session, and its open transaction would keep old rows alive. Above the
    limit, the sessions that were idle for longest are closed as well.

    Args:
        sessions: The server's sessions by token.
        last_used: When each token was last used, in seconds of ``time.monotonic``.
        idle_seconds: How long a session may be idle.
        limit: How many sessions may be open.

    Returns:
        The tokens that were closed.
    """
    now = time.monotonic()
    tokens = list(sessions)  # a copy, because the server changes the dictionary meanwhile
    tokens.sort(key=lambda token: last_used.setdefault(token, now))
    excess = len(tokens) - limit
    idle = [token for rank, token in enumerate(tokens) if rank < excess or now - last_used[token] > idle_seconds]
    for token in idle:
        last_used.pop(token, None)
        if session := sessions.pop(token, None):  # its client may just have ended it
            session.close()
    return idle


def sweep(stages: Path, *, older_than_seconds: float) -> None:
    """Remove old files from the stages, including those of dropped tables; Snowflake removes them with the table."""
    limit = time.time() - older_than_seconds
    for path in sorted(stages.rglob("*"), reverse=True):
        # It may be gone already, or a folder that is not empty, which must stay.
        with suppress(OSError):
            if path.stat().st_mtime < limit:
                path.rmdir() if path.is_dir() else path.unlink()


def serve(home: Path, *, port: int, database: str = DATABASE, idle_seconds: float = IDLE_SECONDS) -> None:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT, then write everything to the database file.

    Raises:
        SystemExit: The state folder has no secret, or the database's name is not a plain identifier.
    """
    import uvicorn

    secret = read_secret(home, "warehouse")
    if secret is None:
        raise SystemExit(f"there is no secret for the warehouse in {home}. Cure: rtlib down && rtlib up")
    if not NAME.fullmatch(database):
        raise SystemExit(f"database {database!r} is not a plain identifier. Cure: set RTLIB_SNOWFLAKE_DATABASE")
    # Not "from fakesnow import server": the package also has a function of that name.
    server: Any = import_module("fakesnow.server")
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    server.logger.setLevel(logging.CRITICAL)  # the patches log the same errors
    fakesnow_patches.apply()
    data = private.make_folder(home / "warehouse")
    watch = FileWatch(data, database)
    cursor: Any = import_module("fakesnow.cursor").FakeSnowflakeCursor
    cursor.execute = watch.detecting_damage(cursor.execute)
    instance = server.shared_fs = watch.open(lambda: open_files(data, database=database))
    open_databases = databases(instance) if instance else []
    last_used: dict[str, float] = {}
    stop = threading.Event()

    def housekeeping() -> None:
        while not stop.wait(min(HOUSEKEEPING_SECONDS, idle_seconds)):
            try:
                close_idle_sessions(server.sessions, last_used, idle_seconds=idle_seconds)
                sweep(data / "stages", older_than_seconds=idle_seconds)
            except Exception as error:  # a session that cannot be closed must not end the housekeeping
                LOG.warning("housekeeping failed and will be repeated", exc_info=error)

    threading.Thread(target=housekeeping, name="housekeeping", daemon=True).start()
    handlers = CheckedHandlers(
        server, secret=secret, databases=open_databases, stages=data / "stages", damage=lambda: watch.damage
    )
    sessions = SessionMiddleware(handlers.application(), server.sessions, last_used)
    app = Guard(sessions, max_body_bytes=MAX_BODY_BYTES, max_upload_bytes=MAX_UPLOAD_BYTES)
    # After a graceful shutdown uvicorn raises SIGTERM again, which without this handler would end the process here.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=2)
    finally:
        stop.set()
        for session in list(server.sessions.values()):
            session.close()
        if instance and not watch.damage:
            for name in set(open_databases) - {database.upper()}:  # the watch closes the main database
                instance.duck_conn.execute(f"CHECKPOINT {name}")
        watch.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line of the warehouse process."""
    parser = argparse.ArgumentParser(prog="python -m rtlib.services.fakesnow", description="The local warehouse.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--home", type=Path, required=True, help="state folder with the secret and the database files")
    parser.add_argument("--database", default=DATABASE, help="created if it is missing")
    options = parser.parse_args(arguments)
    os.umask(0o077)  # DuckDB's files are readable by their owner only
    serve(options.home, port=options.port, database=options.database)


if __name__ == "__main__":
    main()
