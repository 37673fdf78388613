"""Sandbox: runs answers in a process of their own, so that a wrong one cannot harm the notebook."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from io import RawIOBase
from typing import Any

from rtlib.config import inherited_environment
from rtlib.lessons import sandbox_worker
from rtlib.lessons.sandbox_worker import Reply, Request

MAX_ANSWER_BYTES = 32 * 1024 * 1024
WORKER = "rtlib.lessons.sandbox_worker"


class TooLarge(Exception):
    """The answer is larger than a check accepts."""


class _Bounded(RawIOBase):
    """Keeps what is written, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._content, self._limit = bytearray(), limit

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        if len(self._content) + view.nbytes > self._limit:
            raise TooLarge
        self._content += view
        return view.nbytes

    def getvalue(self) -> bytes:
        return bytes(self._content)


def packed(*arguments: Any) -> bytes:
    """The arguments as a pickle; a function of a notebook goes with its code and the names that it uses.

    Raises:
        TooLarge: They need more than 32 MB.
        Exception: Something cannot be pickled, for example a connection.
    """
    from pyspark import cloudpickle

    content = _Bounded(MAX_ANSWER_BYTES)
    cloudpickle.dump(arguments, content)  # type: ignore[no-untyped-call]
    return content.getvalue()


class Sandbox:
    """A worker process, started with the first request and again after it has ended."""

    def __init__(self) -> None:
        self._worker: subprocess.Popen[bytes] | None = None

    def run(self, request: Request) -> Reply:
        """Run a request; a worker that has died is replaced once.

        Raises:
            OSError: No process can be started.
        """
        for _ in range(2):
            worker = self._started()
            try:
                assert worker.stdin is not None
                assert worker.stdout is not None
                sandbox_worker.write(worker.stdin, request)  # type: ignore[arg-type]
                reply: Reply = sandbox_worker.read(worker.stdout)  # type: ignore[arg-type]
            except (EOFError, BrokenPipeError):
                self.close()
            except BaseException:  # interrupted between request and reply: the next reply would be the wrong one
                self.close()
                raise
            else:
                return reply
        return Reply("ended")

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()
            for stream in (self._worker.stdin, self._worker.stdout):
                if stream is not None:
                    stream.close()
            self._worker = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._worker is not None and self._worker.poll() is not None:
            self.close()
        if self._worker is None:
            paths = os.pathsep.join(path for path in sys.path if path)
            one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a fork has no other threads
            self._worker = subprocess.Popen(
                (sys.executable, "-c", f"from {WORKER} import main; main()"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**inherited_environment(), **one_thread, "PYTHONPATH": paths},
            )
            atexit.register(self.close)
        return self._worker
