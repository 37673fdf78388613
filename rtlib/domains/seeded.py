"""Seeded: random generators that depend only on a seed and on names."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, *names: str) -> np.random.Generator:
    """A separate generator for each seed and names (``hash`` would differ between processes)."""
    return np.random.default_rng([seed, zlib.crc32("|".join(names).encode())])
