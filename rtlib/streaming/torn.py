"""Torn files: checkpoint files damaged by a power cut, recognised by their checksums.

Spark renames a file into place without syncing it, so a file of the last seconds may come back empty or truncated.
A file has two checksum files. Hadoop's (``.<name>.crc``) holds a CRC-32 of each block; Spark's own (``<name>.crc``,
state files only) is JSON with a CRC-32C of the whole file. A checksum file may be torn as well.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

_MAGIC, _HEADER = b"crc\0", 8


def why_torn(path: Path, *, lines: bool = False) -> str | None:
    """Why a file of a checkpoint cannot be read, in a few words; None if it is intact.

    Args:
        path: The file.
        lines: The file is a log entry: a version line, then lines of JSON.
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
        return "has no readable checksum"
    return None


def unusable_checksums(path: Path) -> tuple[Path, ...]:
    """Torn checksum files of this file; without them Spark reads the file unchecked."""
    hadoop, spark = _checksums(path)
    torn = (
        [spark]
        if spark.exists() and (_by_hadoop(spark, spark.read_bytes()) is False or not _spark_checksum(spark))
        else []
    )
    data = path.read_bytes()
    torn += [hadoop] if hadoop.exists() and _by_hadoop(path, data) is None else []
    of_spark = _checksums(spark)[0]  # Hadoop's checksum of Spark's checksum file
    torn += [of_spark] if spark.exists() and of_spark.exists() and _by_hadoop(spark, spark.read_bytes()) is None else []
    return tuple(torn)


def with_checksums(path: Path) -> tuple[Path, ...]:
    """The file and its checksum files, as far as they exist; they have to be moved together."""
    hadoop, spark = _checksums(path)
    return tuple(file for file in (path, hadoop, spark, _checksums(spark)[0]) if file.exists())


def _checksums(path: Path) -> tuple[Path, Path]:
    """Hadoop's and Spark's checksum files."""
    return path.with_name(f".{path.name}.crc"), path.with_name(f"{path.name}.crc")


def _by_hadoop(path: Path, data: bytes) -> bool | None:
    """True if Hadoop's checksums match the data, False if not, None without readable checksums."""
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

    checksum = _spark_checksum(_checksums(path)[1])
    if checksum is None:
        return None
    size, value = checksum
    return len(data) == size and crc32c(data) == value


def _spark_checksum(path: Path) -> tuple[int, int] | None:
    """Size and CRC-32C in Spark's checksum file; None if it is missing or torn."""
    try:
        content = json.loads(path.read_text())
        return int(content["mainFileSize"]), int(content["value"]) & 0xFFFFFFFF
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _is_log_entry(data: bytes) -> bool:
    """A version line (v1, v2), then lines of JSON; Spark writes a dash for a source without an offset."""
    try:
        version, *rest = data.decode().splitlines()
        return (
            version[:1] == "v"
            and version[1:].isdigit()
            and all(line == "-" or json.loads(line) is not None for line in rest)
        )
    except ValueError:
        return False
