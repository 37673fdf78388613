"""A checkpoint after a power cut is repaired before Spark reads it, with every row counted once; or reported."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rtlib.errors import CheckpointTorn
from rtlib.streaming.checkpoint import examine, heal
from support.stack import until

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

BATCHES, ROWS, KEYS = 5, 20, 5
Tear = Callable[[Path], object]


@pytest.fixture(scope="module", autouse=True)
def state_of_real_time_mode(spark: SparkSession) -> Iterator[None]:
    """State as in real-time mode: changelogs, and an id for each checkpoint of a partition."""
    state = "spark.sql.streaming.stateStore"
    chosen = {f"{state}.checkpointFormatVersion": "2", f"{state}.rocksdb.changelogCheckpointing.enabled": "true"}
    for name, value in chosen.items():
        spark.conf.set(name, value)
    yield
    for name in chosen:
        spark.conf.unset(name)


def counted(spark: SparkSession, folder: Path, *, batches: int) -> dict[int, int]:
    """Run a query that drops duplicates and counts on this checkpoint, up to a batch; returns that batch's counts.

    The source repeats the rows of a batch whenever it is read again, as Kafka does.
    """
    from pyspark.sql import functions as F

    counts: dict[int, int] = {}
    source = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", ROWS).option("numPartitions", 2)
    once = source.load().withWatermark("timestamp", "10 minutes").dropDuplicates(["value", "timestamp"])
    rows = once.groupBy((F.col("value") % KEYS).alias("key")).count()

    def keep(batch: Any, number: int) -> None:
        rows = batch.collect()  # for every batch: without tasks Spark has no state to commit
        if number <= batches:
            counts.update({row["key"]: row["count"] for row in rows})

    writer = rows.writeStream.outputMode("update").foreachBatch(keep).trigger(processingTime="0 seconds")
    query = writer.option("checkpointLocation", str(folder)).start()
    try:
        until(lambda: not query.isActive or _last(query) >= batches, seconds=120)
        assert query.isActive, str(query.exception())[:1000]
    finally:
        query.stop()
    return counts


def _last(query: StreamingQuery) -> int:
    progress = query.lastProgress
    return int(progress["batchId"]) if progress else -1


@pytest.fixture(scope="module")
def intact(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An intact checkpoint of some batches, written by Spark."""
    folder = tmp_path_factory.mktemp("checkpoint") / "intact"
    counted(spark, folder, batches=BATCHES)
    return folder


@pytest.fixture
def folder(intact: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint, to tear."""
    return Path(shutil.copytree(intact, tmp_path / "checkpoint"))


def last_of(folder: Path, log: str = "commits") -> int:
    return max(int(path.name) for path in (folder / log).iterdir() if path.name.isdigit())


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty_checksum(path: Path) -> None:
    empty(path.with_name(f".{path.name}.crc"))


def newest_state(folder: Path) -> Path:
    """A file of the state after the newest committed batch."""
    return next(iter((folder / "state/0/0").glob(f"{last_of(folder) + 1}_*.changelog")))


NEWEST: dict[str, Callable[[Path], Path]] = {
    "offsets": lambda folder: folder / "offsets" / str(last_of(folder)),
    "commits": lambda folder: folder / "commits" / str(last_of(folder)),
    "state": newest_state,
    "metadata": lambda folder: folder / "metadata",
    "state's description": lambda folder: folder / "state/0/_metadata/metadata",
}
TEARS: tuple[Tear, ...] = (empty, halve, flip)


def test_an_intact_checkpoint_stays_unchanged(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    assert heal(folder, "kpis").torn == {}
    assert sorted(folder.rglob("*")) == before


def test_a_missing_checkpoint_counts_as_intact(tmp_path: Path) -> None:
    assert heal(tmp_path / "none", "kpis").last == -1
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("tear", TEARS)
@pytest.mark.parametrize("what", ["offsets", "commits", "state"])
def test_a_torn_batch_is_moved_away_and_run_again(
    folder: Path, what: str, tear: Tear, caplog: pytest.LogCaptureFixture
) -> None:
    last, path = last_of(folder), NEWEST[what](folder)
    tear(path)
    with caplog.at_level(logging.WARNING):
        assert heal(folder, "kpis").last == last - 1
    assert f"checkpoint of kpis: {path.relative_to(folder)} " in caplog.text
    assert last_of(folder) == last - 1
    assert (folder / "torn").exists()
    assert examine(folder, "kpis").torn == {}


@pytest.mark.parametrize("tear", TEARS)
@pytest.mark.parametrize("what", ["metadata", "state's description"])
def test_a_torn_description_costs_no_batch(folder: Path, what: str, tear: Tear) -> None:
    last = last_of(folder)
    tear(NEWEST[what](folder))
    assert heal(folder, "kpis").last == last
    assert examine(folder, "kpis").torn == {}


@pytest.mark.parametrize("what", ["offsets", "commits", "state"])
def test_a_torn_checksum_of_an_intact_file_costs_no_batch(folder: Path, what: str) -> None:
    last, path = last_of(folder), NEWEST[what](folder)
    empty_checksum(path)
    assert heal(folder, "kpis").last == last
    assert path.exists()
    assert not path.with_name(f".{path.name}.crc").exists()


def test_a_torn_planned_batch_is_planned_again(folder: Path) -> None:
    last = last_of(folder)
    (folder / "commits" / str(last)).unlink()
    empty(folder / "offsets" / str(last))
    assert heal(folder, "kpis").last == last - 1
    assert last_of(folder, "offsets") == last - 1


def test_an_intact_planned_batch_keeps_its_offsets(folder: Path) -> None:
    last = last_of(folder)
    empty(folder / "commits" / str(last))
    heal(folder, "kpis")
    assert last_of(folder, "offsets") == last


def test_a_checkpoint_without_an_intact_batch_is_reported_with_the_cure(folder: Path) -> None:
    for log in ("offsets", "commits"):
        (folder / log / "0").unlink()  # as after the first hundred batches
    for path in (folder / "state").glob("*/*/*.*"):
        empty(path)
    before = sorted(folder.rglob("*"))
    with pytest.raises(CheckpointTorn, match="checkpoint of the kpis query is damaged") as damaged:
        heal(folder, "kpis")
    assert damaged.value.cure == "rtlib rebuild checkpoint kpis"
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("what", NEWEST)
def test_spark_continues_on_a_repaired_checkpoint_and_counts_every_row_once(
    spark: SparkSession, folder: Path, what: str
) -> None:
    empty(NEWEST[what](folder))
    heal(folder, "kpis")
    batches = BATCHES + 2
    counts = counted(spark, folder, batches=batches)
    assert counts == dict.fromkeys(range(KEYS), batches * ROWS // KEYS)
