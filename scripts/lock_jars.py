"""Lock jars: resolve the Java artifacts of the local stack and write rtlib/services/jars.lock.toml.

Run it by hand after changing a version below: ``.venv/bin/python scripts/lock_jars.py``. Nothing else resolves:
``rtlib up`` downloads exactly the files of the lock, and compares their checksums.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rtlib.services.jars import LOCK_FILE, LockedJar

# The broker. Its pom has slf4j-api 1.7.36 but no binding, and without a binding it logs nothing. slf4j-simple is the
# smallest; its version must be that of the api.
KAFKA = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
# Spark's connector: the newest that is published; it works with the pyspark in pyproject.toml in both modes.
SPARK = ("org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0",)
# The registry is one archive. Its parent pom is not published, so it is taken as a single file.
REGISTRY = ("io.apicurio", "apicurio-registry-app", "3.0.9")


def main() -> None:
    """Resolve and hash the artifacts, and write the lock."""
    from jgo.maven import MavenContext

    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cache", type=Path, help="a local Maven repository to use again (default: a new one)")
    cache: Path | None = arguments.parse_args().cache
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=cache or Path(scratch), timeout=60)
        shipped = set(_shipped_with_pyspark())
        spark = (artifact for artifact in _closure(context, SPARK) if artifact.artifactId not in shipped)
        locked = [
            *(_locked("kafka", artifact) for artifact in _closure(context, KAFKA)),
            _locked("registry", context.project(*REGISTRY[:2]).at_version(REGISTRY[2]).artifact("all", "tar.gz")),
            *(_locked("spark", artifact) for artifact in spark),
        ]
    LOCK_FILE.write_text(_toml(sorted(locked)))


def _closure(context: Any, coordinates: Iterable[str]) -> list[Any]:
    """The artifacts of these coordinates, with their runtime dependencies."""
    roots = [context.create_dependency(coordinate) for coordinate in coordinates]
    resolved, transitive = context.resolver.resolve(roots)
    return [
        dependency.artifact
        for dependency in (*resolved, *transitive)
        if dependency.scope in (None, "compile", "runtime")
    ]


def _locked(set_name: str, artifact: Any) -> LockedJar:
    data: bytes = artifact.resolve().read_bytes()
    return LockedJar(
        set=set_name,
        group=artifact.groupId,
        artifact=artifact.artifactId,
        version=artifact.version,
        classifier=artifact.classifier or "",
        extension=artifact.packaging,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
    )


def _shipped_with_pyspark() -> Iterator[str]:
    """Artifact ids of the jars in the pyspark package: a second copy, perhaps of another version, would clash."""
    spec = importlib.util.find_spec("pyspark")
    assert spec is not None and spec.origin is not None, "pyspark is not installed: make install"
    for jar in (Path(spec.origin).parent / "jars").glob("*.jar"):
        name, _, _ = jar.stem.rpartition("-")
        yield name


def _toml(locked: Iterable[LockedJar]) -> str:
    lines = ["# Written by scripts/lock_jars.py; do not edit. Sizes are in bytes.\n"]
    for jar in locked:
        fields = {name: getattr(jar, name) for name in jar.__dataclass_fields__}
        body = "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
        lines.append(f"\n[[jar]]\n{body}")
    return "".join(lines)


if __name__ == "__main__":
    main()
