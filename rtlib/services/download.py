"""Download: one file over HTTP, resumed where it stopped, taken only if it is the one that was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib.errors import DownloadError

if TYPE_CHECKING:
    import requests

ATTEMPTS = 8  # each goes on where the last one stopped
FIRST_PAUSE_SECONDS = 0.25  # doubled after each attempt
TIMEOUT_SECONDS = (10, 30)  # to connect, and between two pieces
CHUNK_BYTES = 32 * 1024  # what a cut connection may cost
CURE = "try again, it goes on where it stopped; behind a proxy set HTTPS_PROXY, with a mirror set RTLIB_MAVEN_URL"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch: where from, where to, its size in bytes and its checksum."""

    url: str
    target: Path
    size: int
    sha256: str

    @property
    def part(self) -> Path:
        """Where the bytes are kept until the file is whole and verified."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def had(self) -> int:
        """How many bytes an earlier attempt left behind."""
        return self.part.stat().st_size if self.part.exists() else 0


class _Interrupted(Exception):
    """The connection or the server failed in a way that may pass."""


def download(session: requests.Session, wanted: Wanted, *, on_bytes: Callable[[int], None]) -> None:
    """Fetch one file; the target appears only when it is whole and its checksum is right.

    Args:
        session: Keeps the connection open from one file to the next.
        wanted: What to fetch.
        on_bytes: Told of each piece: its number of bytes; negative when bytes had to be thrown away.

    Raises:
        DownloadError: The server refuses, does not answer, or sends something else.
        OSError: The disk is full or the folder cannot be written.
    """
    resumed = wanted.had > 0
    on_bytes(wanted.had)
    _bring(session, wanted, on_bytes)
    if sha256_of(wanted.part) != wanted.sha256 and resumed:  # the old half may have been of another file
        _throw_away(wanted, on_bytes)
        _bring(session, wanted, on_bytes)
    found = sha256_of(wanted.part)
    if found != wanted.sha256:
        _throw_away(wanted, on_bytes)
        raise DownloadError(
            f"{wanted.url} is not the file in the lock: its sha256 is {found}, not {wanted.sha256}",
            cure="the mirror or proxy changes files: unset RTLIB_MAVEN_URL, or ask who runs it; then try again",
        )
    wanted.part.replace(wanted.target)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bring(session: requests.Session, wanted: Wanted, on_bytes: Callable[[int], None]) -> None:
    """Fetch until the part file is whole, reconnecting where that may help."""
    import requests
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

    retrying = Retrying(
        retry=retry_if_exception_type(_Interrupted),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=FIRST_PAUSE_SECONDS, max=10),
        reraise=True,
    )
    try:
        retrying(_attempt, session, wanted, on_bytes)
    except _Interrupted as error:
        had = f"{wanted.had:,} of {wanted.size:,} bytes"
        raise DownloadError(f"{wanted.url} could not be fetched ({error}); {had} are here", cure=CURE) from None
    except requests.RequestException as error:
        raise DownloadError(f"{wanted.url} could not be fetched ({error})", cure=CURE) from error


def _attempt(session: requests.Session, wanted: Wanted, on_bytes: Callable[[int], None]) -> None:
    import requests

    if wanted.had > wanted.size:
        _throw_away(wanted, on_bytes)
    if wanted.had == wanted.size:
        return
    try:
        _pour(session, wanted, on_bytes)
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _Interrupted(_in_a_word(error)) from error
    if wanted.had < wanted.size:
        raise _Interrupted("the connection ended early")


def _pour(session: requests.Session, wanted: Wanted, on_bytes: Callable[[int], None]) -> None:
    """Append to the part file what the server sends from there on."""
    had = wanted.had
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={had}-"} if had else {})}
    with session.get(wanted.url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as answer:
        _refuse(answer, wanted)
        if had and not answer.headers.get("Content-Range", "").startswith(f"bytes {had}-"):
            _throw_away(wanted, on_bytes)  # the server knows no ranges and sends the file from its beginning
            had = 0
        _check_length(answer, wanted, left=wanted.size - had)
        with wanted.part.open("ab") as file:
            for piece in _at_most(answer.iter_content(CHUNK_BYTES), wanted.size - had):
                file.write(piece)
                on_bytes(len(piece))


def _refuse(answer: requests.Response, wanted: Wanted) -> None:
    """Raise for an answer that carries no file."""
    if answer.status_code in (200, 206):
        return
    said = f"the server says {answer.status_code} {answer.reason}"
    if answer.status_code in (408, 416, 429) or answer.status_code >= 500:
        if answer.status_code == 416:  # it has fewer bytes than we kept: what we kept is of another file
            wanted.part.unlink(missing_ok=True)
        raise _Interrupted(said)
    raise DownloadError(
        f"{wanted.url} could not be fetched: {said}",
        cure="check RTLIB_MAVEN_URL, or unset it for Maven Central itself; behind a proxy set HTTPS_PROXY",
    )


def _check_length(answer: requests.Response, wanted: Wanted, *, left: int) -> None:
    told = answer.headers.get("Content-Length")
    if told is not None and int(told) != left:
        raise DownloadError(
            f"{wanted.url} is not the file in the lock: {int(told):,} bytes are sent where {left:,} are missing",
            cure="a sign-in page of the network may answer instead: open a web page in a browser, then try again",
        )


def _at_most(pieces: Iterator[bytes], left: int) -> Iterator[bytes]:
    """The pieces, cut off one byte after the size that is known, so that a wrong file cannot fill the disk."""
    for piece in pieces:
        yield piece[: left + 1]
        left -= len(piece)
        if left < 0:
            return


def _throw_away(wanted: Wanted, on_bytes: Callable[[int], None]) -> None:
    on_bytes(-wanted.had)
    wanted.part.unlink(missing_ok=True)


def _in_a_word(error: Exception) -> str:
    """The innermost reason of requests' nested messages: 'Connection refused' rather than three class names."""
    inner: BaseException = error
    while inner.args and isinstance(inner.args[0], BaseException):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None)
    return str(reason if reason is not None else inner)
