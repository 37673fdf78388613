"""Notebook Spark: options for a small Spark session in a lesson's own process, beside the pipeline's."""

from __future__ import annotations

from rtlib.config import Settings, use_java
from rtlib.services import jars, java
from rtlib.streaming import driver
from rtlib.streaming.session import CHECKPOINTS, LOG_CONFIG, SUSPENDED_AT_MOST


def spark_options(settings: Settings) -> dict[str, str]:
    """Options for ``SparkSession.builder`` on this machine: the Kafka connector, and little log output.

    This process will use the stack's Java. No other user can connect to this Spark (see ``streaming.guard``); it serves
    no web page, and keeps its log out of the notebook.

    Raises:
        EnvironmentProblem: There is no suitable Java.
        StreamError: The guard could not be compiled.
    """
    use_java(java.find_java(settings).path.parents[1])
    # A session of a few minutes ends before Java's second compiler pays off, and the pipeline needs the cores.
    java_options = f"-Dlog4j2.configurationFile={LOG_CONFIG} -XX:TieredStopAtLevel=1"
    return {
        **driver.options(
            settings.home,
            jars=jars.paths(settings.home)["spark"],
            scratch=settings.home / "spark-lessons",
            java_options=java_options,
        ),
        "spark.storage.blockManagerHeartbeatTimeoutMs": SUSPENDED_AT_MOST,
        "spark.sql.streaming.checkpointFileManagerClass": CHECKPOINTS,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
