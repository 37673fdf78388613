"""Listeners: the table of all listening sockets of the stack, and the clients that each of them accepts.

``docs/security.md`` prints this table. The tests hold that each chosen port has a row, and, on running servers,
that the rows are true.
"""

from __future__ import annotations

from dataclasses import dataclass

NONE = "–"  # the protocol has no such thing


@dataclass(frozen=True, slots=True)
class Listener:
    """One row.

    Attributes:
        name: The name of its port in ``ports.json``, or of a server that chooses its port itself.
        protocol: Its protocol.
        clients: The intended clients.
        host: The answer to a request whose ``Host`` is not this machine.
        origin: The answer to a request from a page of another origin.
        secret: The credential that a client needs.
    """

    name: str
    protocol: str
    clients: str
    host: str
    origin: str
    secret: str

    @property
    def is_http(self) -> bool:
        """True when web pages could send requests to it."""
        return self.protocol == "HTTP"


LISTENERS = (
    Listener("kafka", "Kafka", "the parts, lessons, Kafka clients of the owner", NONE, NONE,
             "on a shared machine SASL/SCRAM with the secret `kafka`; else none"),
    Listener("kafka_controller", "Kafka", "the broker itself", NONE, NONE,
             "on a shared machine SASL/PLAIN with the secret `kafka_broker`; else none"),
    Listener("registry", "HTTP", "the parts, lessons", "403", "403", "basic authentication with the secret `registry`"),
    Listener("warehouse", "HTTP", "the parts, lessons, dbt", "403", "403", "a sign-in with the secret `warehouse`"),
    Listener("receiver", "HTTP", "`alerts`, the owner's browser", "403", "403",
             "to send: the secret `receiver` in the path; to read: a key made of it, in the path, cookie or header"),
    Listener(
        "app", "HTTP", "the owner's browser", "403", "403",
        "a token made at each start, then a cookie; without them 401 and the way to the sign-in page",
    ),
    Listener("lab", "HTTP", "the owner's browser", "403", "403 or 404", "a token that Jupyter makes, then a cookie"),
    Listener("kernels of app and lab", "ZeroMQ on unix sockets; on ports where a socket's path would be too long",
             "the app's or lab's server", NONE, NONE,
             "a folder of mode 0700, and messages signed with the key of a file of mode 0600"),
    Listener("supervisor", "HTTP on a unix socket", "`rtlib`", NONE, NONE, "a socket of mode 0700"),
    Listener("Spark driver", "Spark RPC", "its own process", NONE, NONE,
             "drawn by Spark, in the memory of its process"),
    Listener("Spark block manager", "Spark RPC", "its own process", NONE, NONE,
             "drawn by Spark, in the memory of its process"),
    Listener("Spark streaming shuffle", "Spark RPC", "its own process", NONE, NONE,
             "32 bytes before anything else, in the memory of its process"),
    Listener("Python in Spark", "Py4J", "the driver and its Python", NONE, NONE, "a token in the memory of both"),
)  # fmt: skip


def listener(name: str) -> Listener:
    """The row of a server.

    Raises:
        KeyError: The table has none.
    """
    return {row.name: row for row in LISTENERS}[name]


def as_markdown() -> str:
    """The table in Markdown, as in the documentation."""
    head = ("listener", "protocol", "clients", "foreign `Host`", "foreign `Origin`", "secret")
    rows = [(row.name, row.protocol, row.clients, row.host, row.origin, row.secret) for row in LISTENERS]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))
