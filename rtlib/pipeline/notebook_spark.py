"""Own Spark: the options of a small Spark beside the pipeline's, in a lesson's own process."""

from __future__ import annotations

from rtlib.config import Settings, use_java
from rtlib.services import jars, java
from rtlib.streaming import guard
from rtlib.streaming.session import LOG_CONFIG, SUSPENDED_AT_MOST


def spark_options(settings: Settings) -> dict[str, str]:
    """What a ``SparkSession.builder`` needs on this machine: the Kafka connector, and little noise.

    The Java that the stack runs with is taken for this process too. Nobody else can use this Spark (see
    ``streaming.guard``); it opens no page of its own, and keeps its chatter out of the notebook.

    Raises:
        EnvironmentProblem: There is no Java that it could run with.
        StreamError: What protects it could not be compiled.
    """
    use_java(java.find_java(settings).path.parents[1])
    # A Spark of a few minutes is over before Java's second compiler pays; the pipeline needs the cores meanwhile.
    java_options = f"-Dlog4j2.configurationFile={LOG_CONFIG} -XX:TieredStopAtLevel=1"
    return {
        "spark.jars": ",".join(str(path) for path in jars.paths(settings.home)["spark"]),
        **guard.options(settings.home, scratch=settings.home / "spark-lessons", java_options=java_options),
        "spark.storage.blockManagerHeartbeatTimeoutMs": SUSPENDED_AT_MOST,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
