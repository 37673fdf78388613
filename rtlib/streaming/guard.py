"""Guard: keeps other users and machines out of a Spark that runs on this machine.

``spark.authenticate`` leaves two gaps. The servers of real-time mode's streaming shuffle listen on every interface and
accept any client, and the driver's server sends files before a client has authenticated. ``LoopbackGuard.java``, an
extension of Netty, moves every server to 127.0.0.1 and lets only this process connect. It is compiled on the machine,
with the compiler among Spark's jars.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tempfile
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib import private
from rtlib.config import environment_java_home
from rtlib.errors import StreamError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SOURCE = Path(__file__).with_name("LoopbackGuard.java")
EXTENSION = "rtlib.LoopbackGuard"
SERVICE = "META-INF/services/io.netty.bootstrap.ChannelInitializerExtension"
COMPILER = "org.codehaus.commons.compiler.samples.CompilerDemo"
COMPILE_SECONDS = 120  # a second on an idle machine
JAVA_OPTION = "-Dio.netty.bootstrap.extensions=serviceload"


def options(home: Path, *, scratch: Path, java_options: str) -> dict[str, str]:
    """The Spark options that close a Spark on this machine to all processes except its own.

    No secret has to be passed: with a local master Spark generates its own, which stays in memory.

    Args:
        home: The state folder, which holds the compiled extension.
        scratch: The folder for temporary files of Spark and its libraries; created here with access for its owner only.
        java_options: Other Java options.

    Raises:
        StreamError: The extension could not be compiled.
    """
    private.make_folder(scratch)
    return {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraClassPath": str(compiled(home)),
        "spark.driver.extraJavaOptions": f'{java_options} {JAVA_OPTION} "-Djava.io.tmpdir={scratch}"',
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.network.crypto.saslFallback": "false",
        # Hadoop sets the permissions of its files itself and ignores the process's umask.
        "spark.hadoop.fs.permissions.umask-mode": "077",
        "spark.local.dir": str(scratch),
    }


def compiled(home: Path) -> Path:
    """The jar with the compiled extension, for Spark's class path; compiled by the first call.

    A jar and not a folder, because Java keeps no class archive for a class path with folders.

    Raises:
        StreamError: The extension could not be compiled.
    """
    key = hashlib.sha256(SOURCE.read_bytes() + version("pyspark").encode()).hexdigest()[:16]
    folder = (home / "jars").resolve() / "spark-guard"  # beside the downloads, which survive a reset
    jar = folder / f"{key}.jar"
    if not jar.exists():
        with tempfile.TemporaryDirectory(prefix=".draft-", dir=private.make_folder(folder)) as draft:
            _compile(Path(draft))
            private.write(jar, _packed(Path(draft)))
    return jar


def _packed(folder: Path) -> bytes:
    """A jar of the files in a folder."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as jar:
        for path in sorted(folder.rglob("*")):
            jar.write(path, path.relative_to(folder))
    return packed.getvalue()


def _compile(folder: Path) -> None:
    jars = spark_jars()
    names = ("janino-*.jar", "commons-compiler-*.jar")
    tools = os.pathsep.join(str(jar) for name in names for jar in jars.glob(name))
    netty = os.pathsep.join(str(jar) for jar in jars.glob("netty-*.jar"))
    java = environment_java_home()
    command = (str(java / "bin" / "java") if java else "java", "-XX:TieredStopAtLevel=1", "-cp", tools, COMPILER)
    try:
        result = subprocess.run(
            (*command, "-d", str(folder), "-classpath", netty, str(SOURCE)),
            capture_output=True, text=True, timeout=COMPILE_SECONDS,
        )  # fmt: skip
        output = (result.stdout + result.stderr).strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        output = str(error)
    if not (folder / EXTENSION.replace(".", "/")).with_suffix(".class").exists():
        raise StreamError(
            f"{SOURCE.name} could not be compiled, and without it real-time mode would listen on every interface: "
            f"{output.splitlines()[0] if output else 'no reason given'}",
            cure="rtlib doctor checks Java; make install repairs Spark's package",
        )
    (folder / SERVICE).parent.mkdir(parents=True)
    (folder / SERVICE).write_text(EXTENSION)


def spark_jars() -> Path:
    """The folder of Spark's own jars.

    Raises:
        StreamError: pyspark is not installed.
    """
    spec = find_spec("pyspark")
    if spec is None or not spec.submodule_search_locations:
        raise StreamError("pyspark is not installed", cure="make install")
    return Path(spec.submodule_search_locations[0]) / "jars"


def check(spark: SparkSession) -> None:
    """Open a server as the streaming shuffle does, and verify that it listens only on 127.0.0.1.

    Raises:
        StreamError: It listens on other interfaces as well; the session is stopped.
    """
    network = spark._jvm.org.apache.spark.network  # type: ignore[union-attr]
    settings = network.util.TransportConf("probe", network.util.MapConfigProvider.EMPTY)
    server = network.TransportContext(settings, network.server.NoOpRpcHandler()).createServer()
    address = server.channelFuture().channel().localAddress().getAddress()
    is_private, text = address.isLoopbackAddress(), address.toString()
    server.close()
    if not is_private:
        spark.stop()
        raise StreamError(
            f"Spark did not load {EXTENSION}: real-time mode would listen on {text}, open to other machines",
            cure="rtlib down && rtlib reset, then rtlib up",
        )


def close_callbacks(spark: SparkSession) -> None:
    """Make Python's callback server, which Spark calls for each batch of ``foreachBatch``, require the gateway's token.

    PySpark starts it without a token, so any local process could call a batch's function. Java would send its token,
    but py4j drops it when it sets the server's port. If a later version keeps the token in another field, Spark's calls
    are refused: the server is never open.
    """
    from py4j.java_gateway import JavaObject  # type: ignore[import-untyped]
    from pyspark.java_gateway import ensure_callback_server_started

    gateway: Any = spark.sparkContext._gateway
    token = gateway.gateway_parameters.auth_token
    gateway.callback_server_parameters.auth_token = token
    ensure_callback_server_started(gateway)  # type: ignore[no-untyped-call]
    caller = JavaObject("GATEWAY_SERVER", gateway._gateway_client).getCallbackClient()
    field = caller.getClass().getSuperclass().getDeclaredField("authToken")
    field.setAccessible(True)
    field.set(caller, token)
