"""Driver: the class path and Java options of a Spark driver on this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from rtlib import class_archive
from rtlib.class_archive import Jvm
from rtlib.config import environment_java_home
from rtlib.streaming import guard

CLASS_PATH, JAVA_OPTIONS = "spark.driver.extraClassPath", "spark.driver.extraJavaOptions"


def options(
    home: Path, *, jars: Sequence[Path], scratch: Path, java_options: str, record: bool = False
) -> dict[str, str]:
    """Spark options of a driver that is closed to other processes (see ``guard``) and loads its class archive.

    The jars are on the driver's class path instead of in ``spark.jars``: driver and executor are one JVM here, so Spark
    need not serve and copy them, and a class archive holds the class path only.

    Args:
        home: The state folder.
        jars: The Kafka connector's files. With other files there is another archive.
        scratch: The folder for temporary files.
        java_options: Other Java options.
        record: List the classes if there is no archive.

    Raises:
        StreamError: The guard could not be compiled.
    """
    protection = guard.options(home, scratch=scratch, java_options=java_options)
    class_path = (Path(protection[CLASS_PATH]), *jars)
    spark_jars = guard.spark_jars()
    every = (*class_path, *spark_jars.glob("slf4j-api-*.jar"), spark_jars)  # the order in which Spark's launcher adds
    archive = class_archive.options(home, Jvm("spark", _java(), every), record=record)
    return {
        **protection,
        CLASS_PATH: os.pathsep.join(str(path) for path in class_path),
        JAVA_OPTIONS: " ".join((protection[JAVA_OPTIONS], *(f'"{option}"' for option in archive))),
    }


def _java() -> Path:
    """The executable that Spark's scripts start."""
    home = environment_java_home()
    found = home / "bin" / "java" if home else Path(shutil.which("java") or "java")
    return found.resolve()
