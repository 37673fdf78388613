"""Broker process: Apache Kafka in KRaft mode, one node, from its Maven jars."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import uuid
from pathlib import Path

from rtlib import private
from rtlib.config import Settings
from rtlib.errors import EnvironmentProblem, RtlibError, ServiceError
from rtlib.run_state import BROKER_USER
from rtlib.services.jvm import FIRST_COMPILER_TIER, LOW_MEMORY

# Replication factors of 1 because there is one node; few partitions for the inner topics because every partition
# costs open files and start-up time; no wait before the first consumer of a group gets its partitions.
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
# Clients sign in by SCRAM, which never sends the password, so a process that took the port while the stack was down
# learns nothing. Kafka keeps SCRAM users in its own metadata; Kafka's own connections, and the sign-in that creates
# the user after each start, need a mechanism that works before that: PLAIN, with another secret.
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

COPY = "meta.properties.copy"  # of what formatting wrote, beside the data
ID_LENGTH = 22  # 16 bytes in base64
# Kafka rebuilds each of these from its segments when it is missing, and stops at one that is torn.
OFFSETS = ("recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint")


def broker_command(home: Path, *, java: Path, jars: tuple[Path, ...], heap_mb: int) -> tuple[str, ...]:
    """The command line of the broker."""
    return (*_java(java, jars, heap_mb=heap_mb), "kafka.Kafka", str(home / "kafka" / "server.properties"))


def prepare_broker(settings: Settings, *, java: Path, jars: tuple[Path, ...]) -> None:
    """Write the broker's properties with today's ports, and format its storage the first time.

    Raises:
        EnvironmentProblem: The disk is full, or the folder has a name that Kafka cannot use.
        ServiceError: The storage could not be formatted; with the tool's own last words.
    """
    folder = settings.home / "kafka"
    if "," in str(folder):
        raise EnvironmentProblem(
            f"the state folder {settings.home} has a comma in its name, which Kafka takes for two folders",
            cure="set RTLIB_HOME to a folder without a comma",
        )
    private.make_folder(folder)
    properties = folder / "server.properties"
    private.write(properties, _properties(settings, folder / "data"))
    if _is_formatted(folder):
        return
    tool = (
        *_java(java, jars, heap_mb=128),
        FIRST_COMPILER_TIER,
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
    """True when the storage has been formatted; its identity, when a power cut tore it, is taken from the copy.

    Raises:
        ServiceError: The identity is torn, and so is the copy, or it is of an older stack that kept none.
    """
    identity, copy = folder / "data" / "meta.properties", folder / COPY
    if not identity.exists() and not (folder / "data" / "__cluster_metadata-0").exists():
        return False
    told, kept = _identity(identity), _identity(copy)
    if not told and not kept:
        raise ServiceError(
            f"{identity} is damaged, so Kafka cannot tell whose storage it is", cure="rtlib reset, then rtlib up"
        )
    if kept and told != kept:
        private.write(identity, copy.read_bytes())
    elif not kept:
        _keep_identity(folder)
    for path in (folder / "data" / name for name in OFFSETS):
        if path.exists() and not _is_whole(path):
            path.unlink()
    return True


def _keep_identity(folder: Path) -> None:
    private.write(folder / COPY, (folder / "data" / "meta.properties").read_bytes())


def _identity(path: Path) -> dict[str, str]:
    """The properties by which Kafka knows its storage; empty when the file is missing or torn."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    found = {name: value for name, sign, value in (line.partition("=") for line in lines) if sign}
    ids = all(len(found.get(name, "")) == ID_LENGTH for name in ("cluster.id", "directory.id"))
    return found if ids and found.get("node.id") and found.get("version") else {}


def _is_whole(path: Path) -> bool:
    """True when a file of offsets has its version, its count, and as many lines: topic, partition, offset."""
    version, count, *entries = [*path.read_text(errors="replace").splitlines(), "", ""]
    entries = [line for line in entries if line]
    whole = all(len(words := line.split()) == 3 and words[2].isdigit() for line in entries)
    return version == "0" and count == str(len(entries)) and whole


def _properties(settings: Settings, data: Path) -> str:
    """The broker's configuration; on a shared machine both of its ports ask for a sign-in."""
    ports, protocol = settings.ports, "SASL_PLAINTEXT" if settings.shared else "PLAINTEXT"
    text = PROPERTIES.format(
        port=ports["kafka"], controller=ports["kafka_controller"], protocol=protocol, data=_property(data)
    )
    if not settings.shared:
        return text
    secret = settings.local_secret("kafka_broker").get_secret_value()
    return text + SIGN_IN.format(plain=PLAIN_LOGIN.format(user=BROKER_USER, secret=secret))


def _property(value: object) -> str:
    """A value as Java reads it from a file of properties: other than ASCII as \\uXXXX, which is JSON's way too."""
    return json.dumps(str(value))[1:-1]


def _not_formatted(folder: Path, said: str) -> RtlibError:
    """Why the tool failed, without the places in its code."""
    if "No space left on device" in said:
        return EnvironmentProblem(
            f"the disk of {folder} is full: Kafka's storage could not be formatted",
            cure="free some space (rtlib doctor says how much is needed) or set RTLIB_HOME to another folder",
        )
    words = [line.strip() for line in said.splitlines() if not line.strip().startswith(("at ", "..."))]
    return ServiceError(
        f"Kafka's storage could not be formatted: {' '.join(words[-3:])}", cure="rtlib reset, then rtlib up"
    )


def _java(java: Path, jars: tuple[Path, ...], *, heap_mb: int) -> tuple[str, ...]:
    log_level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    classpath = os.pathsep.join(str(jar) for jar in jars)
    return (str(java), f"-Xmx{heap_mb}m", *LOW_MEMORY, log_level, "-cp", classpath)


def _cluster_id() -> str:
    """A random Kafka cluster id: 16 bytes in URL-safe base64 without padding, as Kafka's own tool makes it.

    As there, none begins with a dash: the tool would take it for an option.
    """
    drawn = (base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=") for _ in itertools.count())
    return next(one for one in drawn if not one.startswith("-"))
