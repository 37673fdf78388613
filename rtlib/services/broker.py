"""Broker process: a single Apache Kafka node in KRaft mode, from its Maven jars."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import uuid
from pathlib import Path

from rtlib import class_archive, private
from rtlib.class_archive import Jvm
from rtlib.config import Settings
from rtlib.errors import EnvironmentProblem, RtlibError, ServiceError
from rtlib.run_state import BROKER_USER
from rtlib.services import broker_files
from rtlib.services.jvm import FIRST_COMPILER_TIER, LOW_MEMORY

# One node, so replication factors are 1. Internal topics have few partitions, because each costs open files and
# start-up time. The first consumer of a group gets its partitions without a delay.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
listener.security.protocol.map=CLIENT:{protocol},CONTROLLER:{protocol}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.partitions=4
auto.create.topics.enable=false
message.max.bytes=1048588
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=134217728
"""
# Clients sign in with SCRAM, which never sends the password, so a process that took over the port while the stack was
# down learns nothing. Kafka keeps SCRAM users in its metadata. Kafka's own connections, and the sign-in that creates
# the user after each start, need a mechanism that works without metadata: PLAIN, with another secret.
SIGN_IN = """\
listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.client.plain.sasl.jaas.config={plain}
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain}
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
"""
PLAIN_LOGIN = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="{user}" password="{secret}" user_{user}="{secret}";'
)

IDENTITY_COPY = "meta.properties.copy"  # a backup, outside the data folder
ID_LENGTH = 22  # 16 bytes in base64


def broker_command(
    home: Path, *, java: Path, jars: tuple[Path, ...], heap_mb: int, record: bool = False
) -> tuple[str, ...]:
    """The command line of the broker; with ``record`` it lists its classes if it has no class archive."""
    archive = class_archive.options(home, Jvm("broker", java, jars), record=record)
    return (*_java(java, jars, heap_mb=heap_mb), *archive, "kafka.Kafka", str(home / "kafka" / "server.properties"))


def prepare_broker(settings: Settings, *, java: Path, jars: tuple[Path, ...]) -> None:
    """Write the broker's properties with the chosen ports; format its storage the first time.

    Raises:
        EnvironmentProblem: The disk is full, or the folder has a name that Kafka cannot use.
        ServiceError: The storage could not be formatted (with the tool's own last words), or is damaged beyond mending.
    """
    folder = settings.home / "kafka"
    if "," in str(folder):
        raise EnvironmentProblem(
            f"the state folder {settings.home} has a comma in its name, which Kafka reads as two folders",
            cure="set RTLIB_HOME to a folder without a comma",
        )
    private.make_folder(folder)
    properties = folder / "server.properties"
    private.write(properties, _properties(settings, folder / "data"))
    if _is_formatted(folder):
        broker_files.mend(folder / "data")
        return
    tool = (
        *_java(java, jars, heap_mb=128),
        FIRST_COMPILER_TIER,
        *class_archive.options(settings.home, Jvm("broker", java, jars), record=False),
        "kafka.tools.StorageTool",
        "format",
        "-c",
        str(properties),
    )
    done = subprocess.run((*tool, "-t", _cluster_id()), capture_output=True, text=True, timeout=120, umask=0o077)
    if done.returncode != 0:
        raise _not_formatted(folder, done.stderr or done.stdout)
    _keep_identity(folder)


def _is_formatted(folder: Path) -> bool:
    """True when the storage has been formatted; an identity file torn by a power cut is restored from the copy.

    Raises:
        ServiceError: The identity file is torn, and the copy is torn or missing (older stacks kept none).
    """
    identity, copy = folder / "data" / "meta.properties", folder / IDENTITY_COPY
    if not identity.exists() and not (folder / "data" / "__cluster_metadata-0").exists():
        return False
    current, backup = _identity(identity), _identity(copy)
    if not current and not backup:
        raise ServiceError(
            f"{identity} is damaged, so Kafka cannot identify its storage", cure="rtlib reset, then rtlib up"
        )
    if backup and current != backup:
        private.write(identity, copy.read_bytes())
    elif not backup:
        _keep_identity(folder)
    return True


def _keep_identity(folder: Path) -> None:
    private.write(folder / IDENTITY_COPY, (folder / "data" / "meta.properties").read_bytes())


def _identity(path: Path) -> dict[str, str]:
    """The properties that identify Kafka's storage; empty when the file is missing or torn."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    properties = {name: value for name, sign, value in (line.partition("=") for line in lines) if sign}
    has_ids = all(len(properties.get(name, "")) == ID_LENGTH for name in ("cluster.id", "directory.id"))
    return properties if has_ids and properties.get("node.id") and properties.get("version") else {}


def _properties(settings: Settings, data: Path) -> str:
    """The broker's configuration; on a shared machine both ports require a sign-in."""
    ports, protocol = settings.ports, "SASL_PLAINTEXT" if settings.shared else "PLAINTEXT"
    text = PROPERTIES.format(
        port=ports["kafka"], controller=ports["kafka_controller"], protocol=protocol, data=_property(data)
    )
    if not settings.shared:
        return text
    secret = settings.local_secret("kafka_broker").get_secret_value()
    return text + SIGN_IN.format(plain=PLAIN_LOGIN.format(user=BROKER_USER, secret=secret))


def _property(value: object) -> str:
    """A value escaped for a Java properties file: non-ASCII characters as \\uXXXX, like in JSON."""
    return json.dumps(str(value))[1:-1]


def _not_formatted(folder: Path, output: str) -> RtlibError:
    """The error for a failed format, without the tool's stack trace."""
    if "No space left on device" in output:
        return EnvironmentProblem(
            f"the disk of {folder} is full: Kafka's storage could not be formatted",
            cure="free some space (rtlib doctor shows how much is needed) or set RTLIB_HOME to another folder",
        )
    lines = [line.strip() for line in output.splitlines() if not line.strip().startswith(("at ", "..."))]
    return ServiceError(
        f"Kafka's storage could not be formatted: {' '.join(lines[-3:])}", cure="rtlib reset, then rtlib up"
    )


def _java(java: Path, jars: tuple[Path, ...], *, heap_mb: int) -> tuple[str, ...]:
    log_level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    classpath = os.pathsep.join(str(jar) for jar in jars)
    return (str(java), f"-Xmx{heap_mb}m", *LOW_MEMORY, log_level, "-cp", classpath)


def _cluster_id() -> str:
    """A random Kafka cluster id: 16 bytes in URL-safe base64 without padding, like Kafka's own tool makes it.

    It does not begin with a dash, which the tool would read as an option.
    """
    candidates = (base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=") for _ in itertools.count())
    return next(candidate for candidate in candidates if not candidate.startswith("-"))
