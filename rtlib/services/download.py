"""Download: one file over HTTP, resumed after an interruption and verified by its checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib.errors import DownloadError

if TYPE_CHECKING:
    import requests

ATTEMPTS = 8  # each resumes where the last one stopped
FIRST_PAUSE_SECONDS = 0.25  # doubled after each attempt
TIMEOUT_SECONDS = (10, 30)  # to connect, and between two chunks
CHUNK_BYTES = 32 * 1024  # at most this much is lost with a connection
CURE = "try again, the download resumes; behind a proxy set HTTPS_PROXY, with a mirror set RTLIB_MAVEN_URL"


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A file to fetch: its URL, its target, its size in bytes and its SHA-256."""

    url: str
    target: Path
    size: int
    sha256: str

    @property
    def part(self) -> Path:
        """Holds the bytes until the file is complete and verified."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def bytes_here(self) -> int:
        """How many bytes earlier attempts have left."""
        return self.part.stat().st_size if self.part.exists() else 0


class _Interrupted(Exception):
    """A failure of the connection or the server that may be temporary."""


def download(session: requests.Session, request: FileRequest, *, on_bytes: Callable[[int], None]) -> None:
    """Fetch one file; the target appears only when it is complete and its checksum is right.

    Args:
        session: Reuses the connection for several files.
        request: What to fetch.
        on_bytes: Receives the number of bytes of each chunk; negative when bytes are discarded.

    Raises:
        DownloadError: The server refuses, does not answer, or sends another file.
        OSError: The disk is full or the folder cannot be written.
    """
    resumed = request.bytes_here > 0
    on_bytes(request.bytes_here)
    _fetch_all(session, request, on_bytes)
    if sha256_of(request.part) != request.sha256 and resumed:  # the part left by an earlier run may be of another file
        _discard(request, on_bytes)
        _fetch_all(session, request, on_bytes)
    checksum = sha256_of(request.part)
    if checksum != request.sha256:
        _discard(request, on_bytes)
        raise DownloadError(
            f"{request.url} is not the file in the lock: its sha256 is {checksum}, not {request.sha256}",
            cure="the mirror or proxy changes files: unset RTLIB_MAVEN_URL, or ask its operator; then try again",
        )
    request.part.replace(request.target)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_all(session: requests.Session, request: FileRequest, on_bytes: Callable[[int], None]) -> None:
    """Fetch until the part file is complete, reconnecting after temporary failures."""
    import requests
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

    retrying = Retrying(
        retry=retry_if_exception_type(_Interrupted),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=FIRST_PAUSE_SECONDS, max=10),
        reraise=True,
    )
    try:
        retrying(_attempt, session, request, on_bytes)
    except _Interrupted as error:
        share = f"{request.bytes_here:,} of {request.size:,} bytes"
        raise DownloadError(f"{request.url} could not be fetched ({error}); {share} are here", cure=CURE) from None
    except requests.RequestException as error:
        raise DownloadError(f"{request.url} could not be fetched ({error})", cure=CURE) from error


def _attempt(session: requests.Session, request: FileRequest, on_bytes: Callable[[int], None]) -> None:
    import requests

    if request.bytes_here > request.size:
        _discard(request, on_bytes)
    if request.bytes_here == request.size:
        return
    try:
        _append_rest(session, request, on_bytes)
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _Interrupted(_root_cause(error)) from error
    if request.bytes_here < request.size:
        raise _Interrupted("the connection ended early")


def _append_rest(session: requests.Session, request: FileRequest, on_bytes: Callable[[int], None]) -> None:
    """Append the rest of the file to the part file."""
    offset = request.bytes_here
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})}
    with session.get(request.url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as answer:
        _check_status(answer, request)
        if offset and not answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            _discard(request, on_bytes)  # the server does not support ranges and sends the whole file
            offset = 0
        _check_length(answer, request, remaining=request.size - offset)
        with request.part.open("ab") as file:
            for chunk in _limited(answer.iter_content(CHUNK_BYTES), request.size - offset):
                file.write(chunk)
                on_bytes(len(chunk))


def _check_status(answer: requests.Response, request: FileRequest) -> None:
    """Raise for an answer without a file."""
    if answer.status_code in (200, 206):
        return
    status = f"the server answers {answer.status_code} {answer.reason}"
    if answer.status_code in (408, 416, 429) or answer.status_code >= 500:
        if answer.status_code == 416:  # the server's file is shorter than the part file, which is of another file
            request.part.unlink(missing_ok=True)
        raise _Interrupted(status)
    raise DownloadError(
        f"{request.url} could not be fetched: {status}",
        cure="check RTLIB_MAVEN_URL, or unset it for Maven Central itself; behind a proxy set HTTPS_PROXY",
    )


def _check_length(answer: requests.Response, request: FileRequest, *, remaining: int) -> None:
    length = answer.headers.get("Content-Length")
    if length is not None and int(length) != remaining:
        raise DownloadError(
            f"{request.url} is not the file in the lock: {int(length):,} bytes are sent, but {remaining:,} are missing",
            cure="this may be the sign-in page of a network: open a web page in a browser, then try again",
        )


def _limited(chunks: Iterator[bytes], remaining: int) -> Iterator[bytes]:
    """The chunks, cut off one byte after the expected size, so that a wrong file cannot fill the disk."""
    for chunk in chunks:
        yield chunk[: remaining + 1]
        remaining -= len(chunk)
        if remaining < 0:
            return


def _discard(request: FileRequest, on_bytes: Callable[[int], None]) -> None:
    on_bytes(-request.bytes_here)
    request.part.unlink(missing_ok=True)


def _root_cause(error: Exception) -> str:
    """The innermost reason of requests' nested exceptions: 'Connection refused' instead of three class names."""
    inner: BaseException = error
    while inner.args and isinstance(inner.args[0], BaseException):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None)
    return str(reason if reason is not None else inner)
