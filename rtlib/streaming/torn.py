"""Torn files: what a power cut leaves of Spark's checkpoint files, recognised by their checksums.

Spark renames a file into place without syncing it, so a file of the last seconds may come back empty or truncated.
Two checksums lie beside a file. Hadoop's (``.<name>.crc``) has a CRC-32 for each block of the file; Spark's own
(``<name>.crc``, state files only) is JSON with a CRC-32C of the whole. A checksum file may be torn itself.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

_MAGIC, _HEADER = b"crc\0", 8


def why_torn(path: Path, *, lines: bool = False) -> str | None:
    """Why a file of a checkpoint cannot be read, in a few words; None when it is whole.

    Args:
        path: The file.
        lines: It is a log entry: a version line, then lines of JSON.
    """
    if not path.exists():
        return "is missing"
    data = path.read_bytes()
    if not data:
        return "is empty"
    if lines and not _is_log_entry(data):
        return "is truncated"
    verdicts = (_by_hadoop(path, data), _by_spark(path, data))
    if False in verdicts:
        return "does not match its checksum"
    if not lines and verdicts == (None, None) and unusable_checksums(path):
        return "has no checksum that can be read"
    return None


def unusable_checksums(path: Path) -> tuple[Path, ...]:
    """Checksum files of this file that are torn themselves; without them Spark reads the file unchecked."""
    hadoop, spark = _checksums(path)
    torn = [spark] if spark.exists() and (_by_hadoop(spark, spark.read_bytes()) is False or not _told(spark)) else []
    data = path.read_bytes()
    torn += [hadoop] if hadoop.exists() and _by_hadoop(path, data) is None else []
    second = _checksums(spark)[0]
    torn += [second] if spark.exists() and second.exists() and _by_hadoop(spark, spark.read_bytes()) is None else []
    return tuple(torn)


def with_checksums(path: Path) -> tuple[Path, ...]:
    """The file and those of its checksum files that exist, which go where the file goes."""
    hadoop, spark = _checksums(path)
    every = (path, hadoop, spark, _checksums(spark)[0])
    return tuple(one for one in every if one.exists())


def _checksums(path: Path) -> tuple[Path, Path]:
    return path.with_name(f".{path.name}.crc"), path.with_name(f"{path.name}.crc")


def _by_hadoop(path: Path, data: bytes) -> bool | None:
    """True when Hadoop's checksums fit the data, False when they do not, None when there are none to read."""
    try:
        sums = _checksums(path)[0].read_bytes()
    except FileNotFoundError:
        return None
    size = int.from_bytes(sums[4:_HEADER], "big")
    blocks = [data[start : start + size] for start in range(0, len(data), size)] if size else []
    if sums[:4] != _MAGIC or not size or len(sums) < _HEADER + 4 * min(len(blocks), 1):
        return None
    if len(sums) != _HEADER + 4 * len(blocks):
        return None if len(sums) < _HEADER + 4 * len(blocks) else False
    return sums[_HEADER:] == b"".join(zlib.crc32(block).to_bytes(4, "big") for block in blocks)


def _by_spark(path: Path, data: bytes) -> bool | None:
    from crc32c import crc32c

    told = _told(_checksums(path)[1])
    if told is None:
        return None
    size, value = told
    return len(data) == size and crc32c(data) == value


def _told(checksum: Path) -> tuple[int, int] | None:
    """Size and CRC-32C that Spark's checksum file tells; None when there is none, or it is torn."""
    try:
        told = json.loads(checksum.read_text())
        return int(told["mainFileSize"]), int(told["value"]) & 0xFFFFFFFF
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _is_log_entry(data: bytes) -> bool:
    """A version (v1, v2), then lines that are JSON each; Spark writes a dash for a source without an offset."""
    try:
        version, *rest = data.decode().splitlines()
        return (
            version[:1] == "v"
            and version[1:].isdigit()
            and all(line == "-" or json.loads(line) is not None for line in rest)
        )
    except ValueError:
        return False
