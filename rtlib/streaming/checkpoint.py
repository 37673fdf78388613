"""Checkpoint: a query's offsets, commits and state on disk, examined before Spark reads them.

A power cut may tear the newest files. Whatever a batch wrote can be written again: Kafka still holds its records, and
both sinks accept a repeated batch without harm. So the checkpoint is set back to its newest intact batch, and Spark
plans and runs from there. Files in the way are moved to the checkpoint's ``torn`` folder, never deleted.
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

LISTED_FILES = 3  # torn files in an error message; an emptied folder has hundreds


@dataclass(frozen=True, slots=True)
class Healing:
    """The repair that a checkpoint needs.

    Attributes:
        torn: Path of each torn file inside the checkpoint to what is wrong with it.
        aside: The files to move away: the torn files, and intact files that are useless without them.
        last: The newest batch that stays committed; -1 if none does.
    """

    torn: Mapping[str, str]
    aside: tuple[Path, ...]
    last: int


def heal(folder: Path, query: str) -> Healing:
    """Examine a checkpoint and repair it if needed; a log line names the repair, an intact checkpoint stays unchanged.

    Args:
        folder: The checkpoint; a missing folder counts as intact.
        query: The query's name, for the log and the cure.

    Raises:
        CheckpointTorn: No committed batch is intact, so there is nothing to set it back to.
    """
    healing = examine(folder, query)
    if not healing.torn:
        return healing
    place = folder / "torn" / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    for path in healing.aside:
        target = place / path.relative_to(folder)
        private.make_folder(target.parent)
        path.replace(target)
    if "metadata" in healing.torn:  # Spark accepts any id, but needs the file
        private.write(folder / "metadata", json.dumps({"id": str(uuid.uuid4())}))
    damage = ", ".join(f"{name} {why}" for name, why in healing.torn.items())
    log.warning(
        "checkpoint of %s: %s; moved to %s, and the query continues after batch %d", query, damage, place, healing.last
    )
    return healing


def reached(folder: Path, topic: str) -> dict[int, int]:
    """Partition to the offset up to which a query has planned to read a topic; empty if it has not started.

    Torn entries are skipped in favour of older ones.
    """
    for _, path in sorted(_entries(folder / "offsets").items(), reverse=True):
        try:
            planned = json.loads(path.read_text().splitlines()[-1])[topic]
            return {int(partition): int(offset) for partition, offset in planned.items()}
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
    return {}


def examine(folder: Path, query: str) -> Healing:
    """The repair that ``heal`` would make; changes nothing.

    Raises:
        CheckpointTorn: No committed batch is intact, so there is nothing to set it back to.
    """
    torn = dict(_torn_descriptions(folder))
    aside = [file for name in torn for file in with_checksums(folder / name)]
    offsets, commits = _entries(folder / "offsets"), _entries(folder / "commits")
    last = _last_intact(folder, offsets, commits, torn)
    if last is None:
        damage = ", ".join(f"{name} {why}" for name, why in list(torn.items())[:LISTED_FILES])
        raise CheckpointTorn(
            f"the checkpoint of the {query} query is damaged, and no batch in it is intact: {damage}",
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
    for path in (path for paths in checksums.values() for path in paths):
        torn[_name(folder, path)] = "is torn"
        aside.append(path)
    aside += [file for path in beyond for file in with_checksums(path)] if torn else []
    aside += [file for name in torn for file in with_checksums(folder / name)]
    return Healing(torn, tuple(dict.fromkeys(path for path in aside if path.exists())), last)


def _torn_descriptions(folder: Path) -> Iterator[tuple[str, str]]:
    """Torn files that describe the query rather than its batches; Spark creates each of them again."""
    metadata = folder / "metadata"
    has_batches = bool(_entries(folder / "offsets") or _entries(folder / "commits"))
    if (metadata.exists() or has_batches) and (why := why_torn(metadata) or _not_json(metadata)):
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


def _last_intact(
    folder: Path, offsets: Mapping[int, Path], commits: Mapping[int, Path], torn: dict[str, str]
) -> int | None:
    """The newest committed batch with intact offsets and state; None if there is none.

    It is -1, so that everything is read again, if no batch was committed yet or the first is still in the log. Damage
    of later batches is added to ``torn``.
    """
    for batch in sorted({*commits, *(number for number in offsets if number + 1 in offsets)}, reverse=True):
        damage = {
            _name(folder, path): why
            for path in (folder / "commits" / str(batch), folder / "offsets" / str(batch))
            if (why := why_torn(path, lines=True))
        }
        damage |= {} if damage else _torn_state(folder, batch + 1, commits)
        if not damage:
            return batch
        torn |= damage
    return -1 if not commits or 0 in {*commits, *offsets} else None


def _torn_state(folder: Path, version: int, commits: Mapping[int, Path]) -> dict[str, str]:
    """Torn files among those from which Spark assembles this version of the state, over all operators."""
    torn = {}
    for store in sorted((folder / "state").glob("*/*")):
        if store.name.isdigit():
            for path, why in _chain(store, version, commits):
                if why:
                    torn[_name(folder, path)] = why
    return torn


def _chain(store: Path, version: int, commits: Mapping[int, Path]) -> Iterator[tuple[Path, str | None]]:
    """The files of a state store from this version back to an intact snapshot, each with its damage or None."""
    ids = {batch: _ids(path, store) for batch, path in commits.items()}
    for number in range(version, 0, -1):
        names = [f"{number}_{version_id}" for version_id in ids.get(number - 1, ())]
        files = [path for path in store.glob(f"{number}[_.]*") if _STATE.fullmatch(path.name)]
        committed = [path for path in files if not names or path.name.split(".")[0] in names]
        snapshots = [path for path in committed if path.suffix == ".zip"]
        if snapshots:  # later versions refer to it as their base, so there is no way around a torn snapshot
            yield from _snapshot(snapshots[0])
            return
        changes = [path for path in committed if path.suffix == ".changelog"]
        yield from ((path, why_torn(path)) for path in changes)
        if not changes:
            yield store / f"{'_'.join((str(number), *ids.get(number - 1, ())))}.changelog", "is missing"
            return


def _snapshot(path: Path) -> Iterator[tuple[Path, str | None]]:
    """A snapshot of RocksDB: an archive, and the table files listed in it."""
    why = why_torn(path)
    yield path, why
    if why is None:
        try:
            with zipfile.ZipFile(path) as archive:
                metadata = json.loads(archive.read("metadata").split(b"\n", 1)[1])
        except (zipfile.BadZipFile, KeyError, ValueError, IndexError):
            yield path, "is truncated"
            return
        for entry in metadata.get("sstFiles", ()):
            table = path.parent / "SSTs" / entry["dfsSstFileName"]
            yield table, why_torn(table)


def _ids(commit: Path, store: Path) -> tuple[str, ...]:
    """The ids of a store's state in a commit; none if the entry is torn or its format has no ids."""
    try:
        ids = json.loads(commit.read_text().splitlines()[1]).get("stateUniqueIds") or {}
        return tuple(ids[store.parent.name][int(store.name)])
    except (ValueError, LookupError):
        return ()


def _to_be_read(folder: Path, offsets: Mapping[int, Path], commits: Mapping[int, Path], last: int) -> Iterator[Path]:
    """The intact files that Spark reads to continue after this batch."""
    logs = (offsets.get(last), offsets.get(last + 1), commits.get(last))
    yield from (path for path in logs if path and path.exists() and not why_torn(path, lines=True))
    for store in (store for store in (folder / "state").glob("*/*") if store.name.isdigit()):
        yield from (path for path, why in _chain(store, last + 1, commits) if why is None)


def _states(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in (folder / "state").glob("*/*/*"):
        if match := _STATE.fullmatch(path.name):
            yield path, int(match["version"])


def _entries(folder: Path) -> dict[int, Path]:
    """Batch to its entry in a log."""
    return {int(path.name): path for path in folder.glob("*") if path.name.isdigit()}


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
