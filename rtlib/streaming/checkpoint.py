"""Checkpoint: a query's offsets, commits and state on disk, examined before Spark reads them.

A power cut may tear the newest files. Whatever a batch wrote can be written again: Kafka still holds its records, and
both sinks take a repeated batch without harm. So the checkpoint goes back to its newest batch that is whole, and Spark
plans and runs from there again. What is in the way is moved to the checkpoint's ``torn`` folder, never deleted.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rtlib import private
from rtlib.errors import CheckpointTorn
from rtlib.streaming.torn import unusable_checksums, why_torn, with_checksums

log = logging.getLogger(__name__)

# 12_<uuid>.changelog, 12_<uuid>.zip; without an id in an older format. Version 12 is the state after batch 11.
_STATE = re.compile(r"(?P<version>\d+)(_(?P<id>[0-9a-f-]{36}))?\.(?P<kind>changelog|zip)")

MENTIONED = 3  # torn files in an error; a folder that was emptied has hundreds


@dataclass(frozen=True, slots=True)
class Healing:
    """What has to be done to a checkpoint.

    Attributes:
        torn: Each torn file, by its path inside the checkpoint, with what is wrong.
        aside: The files to move away: the torn ones, and whole ones that only make sense with them.
        last: The newest batch that stays committed; -1 for none.
    """

    torn: Mapping[str, str]
    aside: tuple[Path, ...]
    last: int


def heal(folder: Path, query: str) -> Healing:
    """Examine a checkpoint and mend what can be mended; a log line says what, and a whole checkpoint is left alone.

    Args:
        folder: The checkpoint; one that does not exist yet is whole.
        query: The query's name, for the log and the cure.

    Raises:
        CheckpointTorn: No committed batch is whole, so there is nothing to go back to.
    """
    found = examine(folder, query)
    if not found.torn:
        return found
    place = folder / "torn" / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    for path in found.aside:
        target = place / path.relative_to(folder)
        private.make_folder(target.parent)
        path.replace(target)
    if "metadata" in found.torn:  # Spark takes any id, but wants the file
        private.write(folder / "metadata", json.dumps({"id": str(uuid.uuid4())}))
    what = ", ".join(f"{name} {why}" for name, why in found.torn.items())
    log.warning(
        "checkpoint of %s: %s; moved to %s, and the query goes on after batch %d", query, what, place, found.last
    )
    return found


def reached(folder: Path, topic: str) -> dict[int, int]:
    """Partition to the offset up to which a query has planned to read a topic; empty for a query that has not begun.

    A newest entry that is torn is passed over; it says no more than the one before it.
    """
    for _, path in sorted(_entries(folder / "offsets").items(), reverse=True):
        try:
            planned = json.loads(path.read_text().splitlines()[-1])[topic]
            return {int(partition): int(offset) for partition, offset in planned.items()}
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
    return {}


def examine(folder: Path, query: str) -> Healing:
    """What ``heal`` would do; nothing is changed.

    Raises:
        CheckpointTorn: No committed batch is whole, so there is nothing to go back to.
    """
    torn = dict(_torn_descriptions(folder))
    aside = [file for name in torn for file in with_checksums(folder / name)]
    offsets, commits = _entries(folder / "offsets"), _entries(folder / "commits")
    last = _last_whole(folder, offsets, commits, torn)
    if last is None:
        what = ", ".join(f"{name} {why}" for name, why in list(torn.items())[:MENTIONED])
        raise CheckpointTorn(
            f"the checkpoint of the {query} query is damaged, and no batch in it is whole: {what}",
            cure=f"rtlib rebuild checkpoint {query}",
        )
    planned = offsets.get(last + 1)
    if planned and (why := why_torn(planned, lines=True)):
        torn[_name(folder, planned)] = why
        planned = None
    newest = last + 1 if planned else last
    beyond = [path for batch, path in offsets.items() if batch > newest]
    beyond += [path for batch, path in commits.items() if batch > last]
    beyond += [path for path, version in _states(folder) if version > last + 1] if torn else []
    checksums = {path: unusable_checksums(path) for path in _to_be_read(folder, offsets, commits, last)}
    for path in (one for several in checksums.values() for one in several):
        torn[_name(folder, path)] = "is torn"
        aside.append(path)
    aside += [file for path in beyond for file in with_checksums(path)] if torn else []
    aside += [file for name in torn for file in with_checksums(folder / name)]
    return Healing(torn, tuple(dict.fromkeys(path for path in aside if path.exists())), last)


def _torn_descriptions(folder: Path) -> Iterator[tuple[str, str]]:
    """Torn files that say what the query is, apart from its batches; Spark makes each of them anew."""
    metadata = folder / "metadata"
    begun = bool(_entries(folder / "offsets") or _entries(folder / "commits"))
    if (metadata.exists() or begun) and (why := why_torn(metadata) or _not_json(metadata)):
        yield "metadata", why
    for source in sorted((folder / "sources").glob("*/0")):
        if why := why_torn(source, lines=not source.read_bytes().startswith(b"\0")):
            yield _name(folder, source), why
    for path in sorted((folder / "state").glob("**/_metadata/**/*")):
        if path.is_file() and not path.name.startswith(".") and (why := why_torn(path)):
            yield _name(folder, path), why


def _not_json(path: Path) -> str | None:
    try:
        json.loads(path.read_text())
    except ValueError:
        return "is truncated"
    return None


def _last_whole(
    folder: Path, offsets: Mapping[int, Path], commits: Mapping[int, Path], torn: dict[str, str]
) -> int | None:
    """The newest committed batch with whole offsets and state; None when there is none.

    It is -1, and everything is read again, when none was committed yet or the first batch is still in the log. What is
    wrong with the batches after it is noted in ``torn``.
    """
    for batch in sorted({*commits, *(one for one in offsets if one + 1 in offsets)}, reverse=True):
        wrong = {
            _name(folder, path): why
            for path in (folder / "commits" / str(batch), folder / "offsets" / str(batch))
            if (why := why_torn(path, lines=True))
        }
        wrong |= {} if wrong else _torn_state(folder, batch + 1, commits)
        if not wrong:
            return batch
        torn |= wrong
    return -1 if not commits or 0 in {*commits, *offsets} else None


def _torn_state(folder: Path, version: int, commits: Mapping[int, Path]) -> dict[str, str]:
    """What is torn of the files from which Spark puts the state of this version together, for each operator."""
    torn = {}
    for store in sorted((folder / "state").glob("*/*")):
        if store.name.isdigit():
            for path, why in _chain(store, version, commits):
                if why:
                    torn[_name(folder, path)] = why
    return torn


def _chain(store: Path, version: int, commits: Mapping[int, Path]) -> Iterator[tuple[Path, str | None]]:
    """The files of a state store from this version back to a whole snapshot, each with why it cannot be read."""
    ids = {batch: _ids(path, store) for batch, path in commits.items()}
    for number in range(version, 0, -1):
        named = [f"{number}_{one}" for one in ids.get(number - 1, ())]
        found = [path for path in store.glob(f"{number}[_.]*") if _STATE.fullmatch(path.name)]
        mine = [path for path in found if not named or path.name.split(".")[0] in named]
        snapshots = [path for path in mine if path.suffix == ".zip"]
        if snapshots:  # later versions name it as their base, so a torn one is not worked around
            yield from _snapshot(snapshots[0])
            return
        changes = [path for path in mine if path.suffix == ".changelog"]
        yield from ((path, why_torn(path)) for path in changes)
        if not changes:
            yield store / f"{'_'.join((str(number), *ids.get(number - 1, ())))}.changelog", "is missing"
            return


def _snapshot(path: Path) -> Iterator[tuple[Path, str | None]]:
    """A snapshot of RocksDB: an archive, and the table files that it names."""
    why = why_torn(path)
    yield path, why
    if why is None:
        try:
            with zipfile.ZipFile(path) as archive:
                told = json.loads(archive.read("metadata").split(b"\n", 1)[1])
        except (zipfile.BadZipFile, KeyError, ValueError, IndexError):
            yield path, "is truncated"
            return
        for one in told.get("sstFiles", ()):
            table = path.parent / "SSTs" / one["dfsSstFileName"]
            yield table, why_torn(table)


def _ids(commit: Path, store: Path) -> tuple[str, ...]:
    """The ids that a commit gives to a store's state; none when the entry is torn or its format has none."""
    try:
        told = json.loads(commit.read_text().splitlines()[1]).get("stateUniqueIds") or {}
        return tuple(told[store.parent.name][int(store.name)])
    except (ValueError, LookupError):
        return ()


def _to_be_read(folder: Path, offsets: Mapping[int, Path], commits: Mapping[int, Path], last: int) -> Iterator[Path]:
    """The whole files that Spark reads when it goes on after this batch."""
    logs = (offsets.get(last), offsets.get(last + 1), commits.get(last))
    yield from (path for path in logs if path and path.exists() and not why_torn(path, lines=True))
    for store in (one for one in (folder / "state").glob("*/*") if one.name.isdigit()):
        yield from (path for path, why in _chain(store, last + 1, commits) if why is None)


def _states(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in (folder / "state").glob("*/*/*"):
        if found := _STATE.fullmatch(path.name):
            yield path, int(found["version"])


def _entries(folder: Path) -> dict[int, Path]:
    """The entries of a log by batch."""
    return {int(path.name): path for path in folder.glob("*") if path.name.isdigit()}


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
