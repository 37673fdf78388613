"""Errors: every one says what failed, with which value, and what to do next.

RtlibError
├── ConfigError        a setting has a value that cannot work
├── EnvironmentProblem  the machine lacks something: Java, memory, disk, a free port
├── DownloadError      a jar could not be fetched, or is not the one in the lock
├── ServiceError       a part of the local stack did not start, stop or answer
│   ├── SupervisorSilent  the supervisor itself does not answer
│   └── RegistryDamaged   its store cannot be read as it was written
├── SchemaRefused      the registry refused a schema as incompatible
├── EventRefused       an event does not fit its schema
├── WarehouseError     the warehouse refused a statement or did not answer
│   ├── WarehouseDamaged      its file cannot be read as it was written
│   └── WarehouseUnreachable  it did not answer, or no longer knows this session
└── StreamError        the streaming application could not start or stopped
    └── CheckpointTorn  a query's checkpoint is damaged and cannot be mended
"""

from __future__ import annotations


class RtlibError(Exception):
    """Base of all errors of this library.

    Args:
        what: What failed, with the value that was wrong.
        cure: What to do next, as a command or a setting where there is one.
    """

    exit_code = 1

    def __init__(self, what: str, *, cure: str = "") -> None:
        self.what = what
        self.cure = cure
        super().__init__(f"{what}\n  Cure: {cure}" if cure else what)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the sentence and the cure. IPython asks for it instead of a traceback."""
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
    """You meet it when the supervisor runs but does not answer, for one because it is suspended."""


class RegistryDamaged(ServiceError):
    """You meet it when the registry's store cannot be read: cut short, overwritten, emptied."""


class SchemaRefused(RtlibError):
    """You meet it when the registry refuses a schema, with the registry's own reason."""

    exit_code = 6


class EventRefused(RtlibError):
    """You meet it when an event does not fit its schema.

    Args:
        reason: Why, in words.
        field: The field at fault, as a dotted path; empty when the whole event is.
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
    """You meet it when the warehouse does not answer, or has forgotten the session; later it may."""


class WarehouseDamaged(WarehouseError):
    """You meet it when the local warehouse's file cannot be read: cut short, a page overwritten, a torn log."""

    CURE = "rtlib rebuild warehouse"
    # DuckDB's own words, and those by which the local warehouse refuses a sign-in because of them.
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
        """True when these are the words of a damaged file, and not of a full disk or too little memory."""
        return any(sign in text for sign in cls.SIGNS) and not any(one in text for one in cls.OTHER_REASONS)


class StreamError(RtlibError):
    """You meet it when the streaming application cannot start, or stops by itself."""

    exit_code = 8


class CheckpointTorn(StreamError):
    """You meet it when a query's checkpoint is damaged and holds no batch to go back to."""
