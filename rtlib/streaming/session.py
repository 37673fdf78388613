"""Session: one Spark session for both queries, sized for a laptop or pointed at a cluster."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib import private
from rtlib.config import Settings
from rtlib.errors import StreamError
from rtlib.streaming import guard

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROCKSDB = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
LOG_CONFIG = Path(__file__).with_name("log4j2.properties")
DRIVER_MEMORY = {"laptop": "1g", "small": "512m"}
# Java optimises what ran often, on the cores that the whole stack shares. By its own thresholds that takes half a core
# for minutes, mostly for code that plans a query once; with twenty times these, it is left to what runs per event.
LATER = (
    "-XX:Tier4InvocationThreshold=100000 -XX:Tier4MinInvocationThreshold=12000 "
    "-XX:Tier4CompileThreshold=300000 -XX:Tier4BackEdgeThreshold=800000"
)
# Hadoop sets rights and follows links on a local disk by starting a process (chmod, readlink): some 28 a second for
# these two queries. This manager follows no links, which leaves 7; its rename is atomic on a local disk too.
CHECKPOINTS = "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
ARROW_BYTES = 4 * 1024 * 1024  # of rows that go to Python together
# Driver and executor are one process here, so neither outlives the other. By default Spark takes a laptop that was
# suspended for two minutes for a dead executor, drops it, and fails to register it again at each of its heartbeats.
SUSPENDED_AT_MOST = "365d"
HUGE_METHOD = 8_000  # bytes; what is longer Java leaves to its interpreter


def session(settings: Settings, *, jars: Sequence[Path]) -> SparkSession:
    """Start the streaming application's Spark session.

    Two shuffle partitions, because real-time mode holds one task slot for every task of every stage all the time:
    four for reading, two for each of the two stateful stages, and the archive query needs some as well.

    On this machine nobody else can use it (see ``guard``). Elsewhere executors must reach the driver, and the cluster's
    own configuration decides who else does.

    Args:
        settings: ``spark_master`` and the memory profile.
        jars: The Kafka connector's files; local paths, because resolving coordinates adds seconds to every start.

    Raises:
        StreamError: The session did not start, or would be open to others.
    """
    from pyspark.sql import SparkSession

    here, scratch = settings.spark_master.startswith("local"), settings.home / "spark-local"
    java_options = f"-Dlog4j2.configurationFile={LOG_CONFIG} -XX:+UseSerialGC -Xss512k {LATER}"
    options = {
        "spark.jars": ",".join(str(jar) for jar in jars),
        "spark.driver.memory": DRIVER_MEMORY[settings.profile],
        "spark.driver.extraJavaOptions": java_options,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        # A stage whose code would be longer runs as several smaller ones instead.
        "spark.sql.codegen.hugeMethodLimit": str(HUGE_METHOD),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.maxBytesPerBatch": str(ARROW_BYTES),
        "spark.sql.streaming.stateStore.providerClass": ROCKSDB,
        "spark.sql.streaming.checkpointFileManagerClass": CHECKPOINTS,
        "spark.sql.warehouse.dir": str(settings.home / "spark-warehouse"),
        "spark.local.dir": str(scratch),
    }
    if here:
        shutil.rmtree(scratch, ignore_errors=True)  # what a Spark that was killed has left
        options |= guard.options(settings.home, scratch=scratch, java_options=java_options)
        options["spark.storage.blockManagerHeartbeatTimeoutMs"] = SUSPENDED_AT_MOST
    builder = SparkSession.builder.appName("rtlib").master(settings.spark_master)
    for name, value in options.items():
        builder = builder.config(name, value)
    umask = os.umask(0o077)  # Spark's Java inherits it
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        raise StreamError(
            f"Spark did not start at {settings.spark_master}: {str(error).splitlines()[0]}",
            cure="rtlib doctor checks Java and memory; rtlib logs stream shows what Spark said",
        ) from error
    finally:
        os.umask(umask)
    if here:
        private.close_to_others(scratch)  # Spark lets everybody execute the jars that it copies there
        guard.check(spark)
        guard.close_callbacks(spark)
    return spark
