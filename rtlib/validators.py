"""Validators: types for ports, Spark masters and webhook addresses; secrets; and numbers for JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

MASTER = re.compile(r"local(\[(\*|[1-9]\d*)(,[1-9]\d*)?\])?|yarn|(spark|k8s)://\S+")


def _check_master(master: str) -> str:
    if not MASTER.fullmatch(master):
        raise ValueError("use local, local[8], local[*], yarn, spark://host:7077 or k8s://address")
    return master


def _check_address(address: SecretStr) -> SecretStr:
    """Refuse an address that cannot receive a request; the message does not quote it, because it is a secret."""
    try:
        parts = urlsplit(address.get_secret_value())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    labels = host.split(".") if ":" not in host else []  # an IPv6 address has none
    if parts.scheme not in ("http", "https") or not host or not all(0 < len(label) < 64 for label in labels):
        raise ValueError("use an address like https://<host>/<path>; copy it completely from the workflow")
    return address


Port = Annotated[int, Field(ge=1, le=65_535)]
SparkMaster = Annotated[str, AfterValidator(_check_master)]
Address = Annotated[SecretStr, AfterValidator(_check_address)]


class Hidden(str):
    """A secret for a client that accepts only a string; a notebook that shows the client's options shows stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def finite(value: Any) -> Any:
    """The same structure with None for NaN and infinite numbers, which JSON cannot represent."""
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
