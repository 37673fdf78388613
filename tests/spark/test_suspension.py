"""A laptop that was suspended: Spark, which counts the time nevertheless, keeps its executor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from rtlib.config import Settings
from rtlib.services.java import ensure_java

HEARTBEAT_SECONDS, SUSPENDED_SECONDS = 0.5, 2.0
# By default an executor counts as dead after 120 s without a heartbeat, which is looked at every 60 s.
IMPATIENT = {
    "spark.executor.heartbeatInterval": f"{HEARTBEAT_SECONDS * 1000:.0f}ms",
    "spark.network.timeout": "1s",
    "spark.rpc.askTimeout": "60s",
    "spark.network.timeoutInterval": "200ms",
}
APPLICATION = """
import sys
from pathlib import Path
from rtlib.config import Settings
from rtlib.streaming.session import session

spark = session(Settings(home=Path(sys.argv[1]), spark_master="local[1]"), jars=())
print(spark.sparkContext._gateway.proc.pid, flush=True)
for line in sys.stdin:
    print(spark.range(int(line)).count(), flush=True)
"""


def test_a_spark_that_was_suspended_keeps_its_executor_and_works_on(tmp_path: Path) -> None:
    options = " ".join(f"--conf {name}={value}" for name, value in IMPATIENT.items())
    java = ensure_java(Settings(home=tmp_path)).path.parent.parent
    variables = {**os.environ, "JAVA_HOME": str(java), "PYSPARK_SUBMIT_ARGS": f"{options} pyspark-shell"}
    log = tmp_path / "log"
    with log.open("w") as output, subprocess.Popen(
        (sys.executable, "-c", APPLICATION, str(tmp_path)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, text=True, env=variables,
    ) as application:  # fmt: skip
        assert application.stdin is not None
        assert application.stdout is not None
        machine = psutil.Process(int(application.stdout.readline()))
        begun = log.stat().st_size  # on a slow machine the first heartbeats come before the executor is registered
        machine.suspend()
        time.sleep(SUSPENDED_SECONDS)
        machine.resume()
        until = time.monotonic() + 4 * HEARTBEAT_SECONDS
        while time.monotonic() < until:
            application.stdin.write("3\n")
            application.stdin.flush()
            assert application.stdout.readline() == "3\n"
        application.stdin.close()
    since = log.read_bytes()[begun:].decode().splitlines()
    assert [line for line in since if "ERROR" in line or "HeartbeatReceiver" in line] == []
