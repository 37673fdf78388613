"""A Spark on this machine is closed to all processes except the one that started it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock
from zipfile import ZipFile

import psutil
import pytest

from rtlib import private
from rtlib.errors import StreamError
from rtlib.streaming import guard
from support import spark_stranger as stranger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession


@pytest.fixture
def shuffle_server(spark: SparkSession) -> Iterator[Any]:
    """A server opened as by a writer of the streaming shuffle: no host, no authentication."""
    server = transport(spark).createServer()
    yield server
    server.close()


def transport(spark: SparkSession) -> Any:
    """The factory of Spark's servers and clients; its handler refuses every request with a message."""
    network = spark._jvm.org.apache.spark.network  # type: ignore[union-attr]
    settings = network.util.TransportConf("test", network.util.MapConfigProvider.EMPTY)
    return network.TransportContext(settings, network.server.NoOpRpcHandler())


def listening(spark: SparkSession) -> dict[int, str]:
    """Port to address of every server of Spark's Java."""
    java = psutil.Process(spark.sparkContext._gateway.proc.pid)  # type: ignore[union-attr]
    addresses = [socket.laddr for socket in java.net_connections("tcp") if socket.status == psutil.CONN_LISTEN]
    return {address.port: address.ip for address in addresses}


# --- the streaming shuffle, which Spark does not protect ------------------------------------------------------------


def test_a_server_for_every_interface_listens_only_on_this_machine(spark: SparkSession, shuffle_server: Any) -> None:
    servers = listening(spark)
    assert shuffle_server.getPort() in servers
    assert {address.removeprefix("::ffff:") for address in servers.values()} == {"127.0.0.1"}


def test_a_client_of_the_same_process_reaches_such_a_server(spark: SparkSession, shuffle_server: Any) -> None:
    client = transport(spark).createClientFactory().createClient("127.0.0.1", shuffle_server.getPort())
    request = spark._jvm.java.nio.ByteBuffer.allocate(8)  # type: ignore[union-attr]
    with pytest.raises(Exception, match="Cannot handle messages"):  # the handler's message, so the request arrived
        client.sendRpcSync(request, 30_000)


@pytest.mark.parametrize("message", [stranger.reader_of_the_shuffle(0), stranger.open_block("app", "rdd_0_0")])
def test_such_a_server_closes_the_connection_of_a_foreign_client(shuffle_server: Any, message: bytes) -> None:
    assert stranger.answer(shuffle_server.getPort(), message) is None


def test_a_session_whose_servers_would_be_open_is_stopped() -> None:
    spark = MagicMock()
    server = spark._jvm.org.apache.spark.network.TransportContext.return_value.createServer.return_value
    address = server.channelFuture.return_value.channel.return_value.localAddress.return_value.getAddress.return_value
    address.isLoopbackAddress.return_value = False
    address.toString.return_value = "0.0.0.0/0.0.0.0"
    with pytest.raises(StreamError, match=r"listen on 0\.0\.0\.0/0\.0\.0\.0, open to other machines") as caught:
        guard.check(spark)
    assert caught.value.cure
    spark.stop.assert_called_once_with()


# --- Spark's own servers --------------------------------------------------------------------------------------------


def test_a_stranger_gets_no_file_and_no_block_from_any_port(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("for the owner alone")
    (tmp_path / "a-library-for-executors.jar").write_text("for executors alone")
    context: Any = spark.sparkContext
    context._jsc.addJar(str(tmp_path / "a-library-for-executors.jar"))
    held = context.broadcast("for executors alone")
    requests = (
        stranger.stream_request("/jars/a-library-for-executors.jar"),
        stranger.stream_request(f"/artifacts/{'../' * 20}{tmp_path}/secret.txt"),
        stranger.open_block(context.applicationId, f"broadcast_{held._jbroadcast.id()}_piece0"),
    )
    ports = listening(spark).keys() - {context._gateway.gateway_parameters.port}
    assert len(ports) >= 2  # the driver and its block manager
    answers = {port: [stranger.answer(port, message) for message in requests] for port in ports}
    assert answers == dict.fromkeys(ports, [None, None, None])


def test_java_calls_python_and_a_stranger_does_not(spark: SparkSession) -> None:
    gateway: Any = spark.sparkContext._gateway
    called = Called()
    thread = spark._jvm.java.lang.Thread(called)  # type: ignore[union-attr]
    thread.start()
    thread.join(30_000)
    assert called.times == 1
    number = next(name for name, target in gateway.gateway_property.pool.dict.items() if target is called)
    request = f"c\n{number}\nrun\ne\n".encode()
    assert stranger.answer(gateway._callback_server.port, request) is None
    assert called.times == 1


class Called:
    """A callback for Java, like the function of a micro-batch."""

    times = 0

    def run(self) -> None:
        self.times += 1

    class Java:
        implements = ("java.lang.Runnable",)


def test_no_secret_is_on_a_command_line(spark: SparkSession) -> None:
    hadoop = spark._jvm.org.apache.hadoop  # type: ignore[union-attr]
    credentials = hadoop.security.UserGroupInformation.getCurrentUser().getCredentials()
    secret = bytes(credentials.getSecretKey(hadoop.io.Text("sparkCookie"))).decode()
    token = spark.sparkContext._gateway.gateway_parameters.auth_token  # type: ignore[union-attr]
    assert len(secret) >= 32
    assert len(token) >= 32
    arguments = [argument for process in psutil.process_iter() for argument in _arguments(process)]
    assert not [argument for argument in arguments if secret in argument or token in argument]


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_files_written_by_spark_are_private(spark: SparkSession, tmp_path: Path) -> None:
    path = spark._jvm.org.apache.hadoop.fs.Path(str(tmp_path / "checkpoint" / "offsets" / "0"))  # type: ignore[union-attr]
    path.getFileSystem(spark._jsc.hadoopConfiguration()).create(path).close()
    assert (tmp_path / "checkpoint" / "offsets" / "0").exists()
    assert not list(private.exposed(tmp_path / "checkpoint"))


def test_temporary_files_of_spark_and_its_libraries_are_private(spark: SparkSession) -> None:
    scratch = spark.conf.get("spark.local.dir")
    assert scratch
    assert spark._jvm.java.lang.System.getProperty("java.io.tmpdir") == scratch  # type: ignore[union-attr]
    modes = [mode for path in Path(scratch).rglob("*") if (mode := mode_of(path)) is not None]
    assert modes
    assert not [oct(mode) for mode in modes if mode & 0o066]
    assert Path(scratch).stat().st_mode & 0o777 == 0o700


def mode_of(path: Path) -> int | None:
    """The permission bits; None for a shuffle file that Spark's cleaner has just removed."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return None


# --- the options of a session ---------------------------------------------------------------------------------------


def test_the_options_require_authentication_and_keep_temporary_files_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "compiled", lambda home: home / "compiled")
    options = guard.options(tmp_path, scratch=tmp_path / "a scratch", java_options="-Xss512k")
    assert options["spark.authenticate"] == options["spark.network.crypto.enabled"] == "true"
    assert options["spark.network.crypto.saslFallback"] == "false"
    assert options["spark.hadoop.fs.permissions.umask-mode"] == "077"
    assert "secret" not in " ".join(options)  # it would be on the command line of Spark's Java
    java = options["spark.driver.extraJavaOptions"]
    assert java == f'-Xss512k -Dio.netty.bootstrap.extensions=serviceload "-Djava.io.tmpdir={tmp_path / "a scratch"}"'
    assert (tmp_path / "a scratch").stat().st_mode & 0o777 == 0o700


def test_the_extension_is_compiled_once_and_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = guard.compiled(tmp_path)
    with ZipFile(jar) as files:
        assert "rtlib/LoopbackGuard.class" in files.namelist()
        assert files.read(guard.SERVICE).decode() == "rtlib.LoopbackGuard"
    assert not list(private.exposed(jar.parent))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "no java"))
    assert guard.compiled(tmp_path) == jar
    assert [path.name for path in jar.parent.iterdir()] == [jar.name]


def test_without_java_the_extension_is_not_compiled_and_nothing_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "no java"))
    with pytest.raises(StreamError, match=r"LoopbackGuard.java could not be compiled.*no java") as caught:
        guard.compiled(tmp_path)
    assert "rtlib doctor" in (caught.value.cure or "")
    assert not list((tmp_path / "jars" / "spark-guard").iterdir())
