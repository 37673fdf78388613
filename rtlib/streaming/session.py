"""Session: the Spark session of both queries, sized for a laptop or connected to a cluster."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib import private
from rtlib.config import Settings
from rtlib.errors import StreamError
from rtlib.streaming import driver, guard

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROCKSDB = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
LOG_CONFIG = Path(__file__).with_name("log4j2.properties")
DRIVER_MEMORY = {"laptop": "1g", "small": "512m"}
# Java optimises code that ran often, on the cores that the whole stack shares. With its default thresholds that takes
# half a core for minutes, mostly for code that plans a query once; with twenty times these, only code that runs for
# each event is optimised.
LATE_OPTIMISATION = (
    "-XX:Tier4InvocationThreshold=100000 -XX:Tier4MinInvocationThreshold=12000 "
    "-XX:Tier4CompileThreshold=300000 -XX:Tier4BackEdgeThreshold=800000"
)
# On a local disk Hadoop sets permissions and follows links by starting a process (chmod, readlink): about 28 a second
# for these two queries. This manager follows no links, which leaves 7; its rename is atomic on a local disk too.
CHECKPOINTS = "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
ARROW_BYTES = 4 * 1024 * 1024  # of rows sent to Python together
# Driver and executor share a process here, so neither outlives the other. By default Spark drops an executor that was
# silent for two minutes, such as a suspended laptop's, and then fails to register it again at each of its heartbeats.
SUSPENDED_AT_MOST = "365d"
# Spark plans each batch anew, and a query is silent meanwhile. These rules rewrite nothing in the two queries, or
# nothing that matters in a plan that reads Kafka, and take more than half of the optimizer's time.
CATALYST, SOURCES = "org.apache.spark.sql.catalyst.optimizer", "org.apache.spark.sql.execution.datasources"
NEEDLESS_RULES = (
    *(f"{SOURCES}.{rule}" for rule in ("PruneFileSourcePartitions", "SchemaPruning", "PushVariantIntoScan")),
    *(f"{CATALYST}.{rule}" for rule in ("SimplifyConditionals", "RemoveRedundantAliases", "NullDownPropagation")),
    *(f"{CATALYST}.{rule}" for rule in ("FoldablePropagation", "OptimizeCsvJsonExprs", "SimplifyBinaryComparison")),
    f"{CATALYST}.ReorderAssociativeOperator",
)
HUGE_METHOD = 8_000  # bytes of code; Java interprets longer methods instead of compiling them


def session(settings: Settings, *, jars: Sequence[Path], record: bool = False) -> SparkSession:
    """Start the streaming application's Spark session.

    There are two shuffle partitions, because real-time mode permanently occupies a task slot for every task of every
    stage: four for reading, two for each of the two stateful stages; the archive query needs some as well.

    On this machine only this process can use the session (see ``guard``). On a cluster, executors must reach the
    driver, and the cluster's configuration decides about other access.

    Args:
        settings: ``spark_master`` and the memory profile.
        jars: Local paths of the Kafka connector's files; resolving coordinates would add seconds to every start.
        record: List the classes for a class archive if there is none.

    Raises:
        StreamError: The session did not start, or would be open to others.
    """
    from pyspark.sql import SparkSession

    is_local, scratch = settings.spark_master.startswith("local"), settings.home / "spark-local"
    if is_local:
        shutil.rmtree(scratch, ignore_errors=True)  # left behind by a killed Spark
    builder = SparkSession.builder.appName("rtlib").master(settings.spark_master)
    for name, value in _options(settings, jars, scratch=scratch, is_local=is_local, record=record).items():
        builder = builder.config(name, value)
    try:
        with private.owner_only():  # Spark's Java inherits it
            spark = builder.getOrCreate()
    except Exception as error:
        raise StreamError(
            f"Spark did not start at {settings.spark_master}: {str(error).splitlines()[0]}",
            cure="rtlib doctor checks Java and memory; rtlib logs stream shows Spark's messages",
        ) from error
    if is_local:
        private.close_to_others(scratch)  # Spark makes the jars that it copies there executable for all users
        guard.check(spark)
        guard.close_callbacks(spark)
    return spark


def _options(
    settings: Settings, jars: Sequence[Path], *, scratch: Path, is_local: bool, record: bool
) -> dict[str, str]:
    java_options = f"-Dlog4j2.configurationFile={LOG_CONFIG} -XX:+UseSerialGC -Xss512k {LATE_OPTIMISATION}"
    options = {
        "spark.driver.memory": DRIVER_MEMORY[settings.profile],
        "spark.driver.extraJavaOptions": java_options,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.optimizer.excludedRules": ",".join(NEEDLESS_RULES),
        # Constraints serve joins and outer filters, of which these queries have none.
        "spark.sql.constraintPropagation.enabled": "false",
        # A stage with longer code is split into smaller stages.
        "spark.sql.codegen.hugeMethodLimit": str(HUGE_METHOD),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.maxBytesPerBatch": str(ARROW_BYTES),
        "spark.sql.streaming.stateStore.providerClass": ROCKSDB,
        "spark.sql.streaming.checkpointFileManagerClass": CHECKPOINTS,
        "spark.sql.warehouse.dir": str(settings.home / "spark-warehouse"),
        "spark.local.dir": str(scratch),
    }
    if is_local:
        options |= driver.options(settings.home, jars=jars, scratch=scratch, java_options=java_options, record=record)
        options["spark.storage.blockManagerHeartbeatTimeoutMs"] = SUSPENDED_AT_MOST
    else:
        options["spark.jars"] = ",".join(str(jar) for jar in jars)
    return options
