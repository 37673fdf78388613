"""Warehouse process: fakesnow's server over DuckDB files, mended where it differs from Snowflake.

Run as ``python -m rtlib.services.fakesnow --port N --data DIR``. It answers on 127.0.0.1 what the Snowflake
connector asks; what has been committed is in ``DIR/<DATABASE>.db`` and outlives a ``kill -9``.
"""

from __future__ import annotations

import argparse
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

DATABASE = "RTLIB"
MEMORY_MB = 160
RESULTS_KEPT = 20


class Newest(OrderedDict[str, Any]):
    """A mapping that forgets its oldest entries; fakesnow keeps every result of every query for ever."""

    def __init__(self, size: int = RESULTS_KEPT) -> None:
        super().__init__()
        self._size = size
        self._lock = threading.Lock()

    def __setitem__(self, key: str, value: Any) -> None:
        with self._lock:
            super().__setitem__(key, value)
            while len(self) > self._size:
                self.popitem(last=False)


def say_what_failed(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what fakesnow does not foresee into the answer Snowflake gives.

    fakesnow answers HTTP 500, which the connector takes for an outage and retries for minutes; Snowflake says at
    once which statement is at fault.
    """
    from snowflake.connector.errors import Error, ProgrammingError

    def execute_and_say(self: Any, command: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return execute(self, command, *args, **kwargs)
        except Error:
            raise
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            raise ProgrammingError(msg=message, errno=603, sqlstate="XX000") from error

    return execute_and_say


def timestamps_with_nulls(column: Any) -> Any:
    """Timestamps in the form the connector expects; fakesnow's own makes a NULL 1970."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    micros = pc.cast(column, pa.timestamp("us", tz=column.type.tz)).cast(pa.int64())
    epoch = pc.floor(pc.divide(micros.cast(pa.float64()), 1e6)).cast(pa.int64())
    fraction = pc.multiply(pc.subtract(micros, pc.multiply(epoch, 1_000_000)), 1_000).cast(pa.int32())
    parts, names = [epoch, fraction], ["epoch", "fraction"]
    if column.type.tz:
        parts, names = [*parts, pa.array([1440] * len(column), pa.int32())], [*names, "timezone"]
    return pa.StructArray.from_arrays(parts, names=names, mask=column.is_null())


def mend() -> None:
    """Put the three mends above in place of fakesnow's own."""
    from fakesnow import arrow
    from fakesnow.cursor import FakeSnowflakeCursor

    FakeSnowflakeCursor.execute = say_what_failed(FakeSnowflakeCursor.execute)
    arrow.timestamp_to_sf_struct = timestamps_with_nulls


def serve(port: int, data: Path) -> None:
    """Serve until told to stop.

    Args:
        port: Port on 127.0.0.1.
        data: Folder of the DuckDB files; made when missing.
    """
    import fakesnow.server as server
    import uvicorn
    from fakesnow.instance import FakeSnow

    data.mkdir(parents=True, exist_ok=True)
    spill = data / "spill"
    shutil.rmtree(spill, ignore_errors=True)  # what a killed server left
    mend()
    fake = FakeSnow(db_path=str(data))
    fake.results_cache = Newest()
    for setting in (f"memory_limit='{MEMORY_MB}MB'", "threads=2", f"temp_directory='{spill}'"):
        fake.duck_conn.execute(f"SET GLOBAL {setting}")
    fake.connect(DATABASE)
    server.shared_fs = fake
    server.logger.setLevel("WARNING")
    uvicorn.run(server.app, host="127.0.0.1", port=port, log_level="warning")


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--port", type=int, required=True)
    reader.add_argument("--data", type=Path, required=True)
    asked = reader.parse_args(words)
    serve(asked.port, asked.data)


if __name__ == "__main__":
    main()
