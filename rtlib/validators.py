"""Values: what a port, a Spark master and an address to call must look like; secrets; and what JSON can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

MASTER = re.compile(r"local(\[(\*|[1-9]\d*)(,[1-9]\d*)?\])?|yarn|(spark|k8s)://\S+")


def _known_to_spark(master: str) -> str:
    if not MASTER.fullmatch(master):
        raise ValueError("Spark knows local, local[8], local[*], yarn, spark://host:7077 and k8s://address")
    return master


def _callable(address: SecretStr) -> SecretStr:
    """Refuse what no request could be sent to; the words do not repeat it, because it is a secret."""
    try:
        parts = urlsplit(address.get_secret_value())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    labels = host.split(".") if ":" not in host else []  # an IPv6 address has none
    if parts.scheme not in ("http", "https") or not host or not all(0 < len(one) < 64 for one in labels):
        raise ValueError("an address as https://<host>/<path> is needed; copy it whole from the workflow")
    return address


Port = Annotated[int, Field(ge=1, le=65_535)]
SparkMaster = Annotated[str, AfterValidator(_known_to_spark)]
Address = Annotated[SecretStr, AfterValidator(_callable)]


class Hidden(str):
    """A secret for a client that takes nothing but a text; a notebook that shows the client's options shows stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def finite(told: Any) -> Any:
    """The same with None for each number that is none or has no end, which JSON does not know."""
    if isinstance(told, Mapping):
        return {name: finite(one) for name, one in told.items()}
    if isinstance(told, list | tuple):
        return [finite(one) for one in told]
    return None if isinstance(told, float) and not isfinite(told) else told
