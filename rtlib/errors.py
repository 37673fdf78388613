"""Errors: each one names what failed, the value at fault, and what to do next.

RtlibError
├── ConfigError        a setting has a value that cannot work
├── EnvironmentProblem  the machine lacks something: Java, memory, disk space, a free port
├── DownloadError      a jar could not be fetched, or differs from the lock
├── ServiceError       a part of the local stack did not start, stop or answer
│   ├── SupervisorSilent  the supervisor itself does not answer
│   ├── SupervisorStopping  the supervisor is shutting down
│   └── RegistryDamaged   its store cannot be read as it was written
├── SchemaRefused      the registry refused a schema as incompatible
├── EventRefused       an event does not fit its schema
├── WarehouseError     the warehouse refused a statement or did not answer
│   ├── WarehouseDamaged      its file is damaged
│   └── WarehouseUnreachable  it did not answer, or its session has expired
└── StreamError        the streaming application could not start or stopped
    └── CheckpointTorn  a query's checkpoint is damaged and cannot be repaired
"""

from __future__ import annotations


class RtlibError(Exception):
    """Base of all errors of this library.

    Args:
        what: What failed, with the value at fault.
        cure: What to do next, as a command or a setting where there is one.
    """

    exit_code = 1

    def __init__(self, what: str, *, cure: str = "") -> None:
        self.what = what
        self.cure = cure
        super().__init__(f"{what}\n  Cure: {cure}" if cure else what)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback: the message and the cure. IPython calls it."""
        return f"{type(self).__name__}: {self}".splitlines()


class ConfigError(RtlibError):
    """You meet it when a setting or an argument has a value that cannot work."""

    exit_code = 2


class EnvironmentProblem(RtlibError):
    """You meet it when the machine lacks something the stack needs."""

    exit_code = 3


class DownloadError(RtlibError):
    """You meet it when a jar cannot be fetched, or its checksum is not the locked one."""

    exit_code = 4


class ServiceError(RtlibError):
    """You meet it when a part of the local stack does not start, stop or answer."""

    exit_code = 5


class SupervisorSilent(ServiceError):
    """You meet it when the supervisor runs but does not answer, for example because it is suspended."""


class SupervisorStopping(ServiceError):
    """You meet it when a command needs the stack while another command stops it."""


class RegistryDamaged(ServiceError):
    """You meet it when the registry's store cannot be read: cut short, overwritten, emptied."""


class SchemaRefused(RtlibError):
    """You meet it when the registry refuses a schema, with the registry's own reason."""

    exit_code = 6


class EventRefused(RtlibError):
    """You meet it when an event does not fit its schema.

    Args:
        reason: Why, in words.
        field: The dotted path of the field at fault; empty for the whole event.
    """

    exit_code = 6

    def __init__(self, reason: str, *, field: str = "", cure: str = "") -> None:
        self.reason = reason
        self.field = field
        super().__init__(f"{field}: {reason}" if field else reason, cure=cure)


class WarehouseError(RtlibError):
    """You meet it when the warehouse refuses a statement or does not answer."""

    exit_code = 7


class WarehouseUnreachable(WarehouseError):
    """You meet it when the warehouse does not answer, or the session has expired; a retry may succeed."""


class WarehouseDamaged(WarehouseError):
    """You meet it when the local warehouse's file is truncated, overwritten, or has a torn log."""

    CURE = "rtlib rebuild warehouse"
    # Messages of DuckDB, and that of the local warehouse when it refuses a sign-in because of them.
    SIGNS = (
        "Could not read enough bytes",
        "Corrupt database file",
        "Failure while replaying WAL",
        "data may be corrupt",
        "exists, but it is not a valid DuckDB database file",
        "the warehouse's file is damaged",
    )
    OTHER_REASONS = ("Out of Memory", "No space left", "Permission denied")

    @classmethod
    def is_meant_by(cls, text: str) -> bool:
        """True when a message means a damaged file, and not a full disk or too little memory."""
        return any(sign in text for sign in cls.SIGNS) and not any(reason in text for reason in cls.OTHER_REASONS)


class StreamError(RtlibError):
    """You meet it when the streaming application cannot start, or stops unexpectedly."""

    exit_code = 8


class CheckpointTorn(StreamError):
    """You meet it when a query's checkpoint is damaged and has no complete batch to return to."""
