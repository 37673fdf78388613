"""JVM options shared by the local Java servers: less memory, faster start."""

from __future__ import annotations

# The serial collector needs half the memory of the default one.
LOW_MEMORY = ("-XX:+UseSerialGC", "-Xss512k", "-XX:-UsePerfData")
# Starts faster; for processes that do too little for the second compiler tier to pay. The broker runs long enough.
FIRST_COMPILER_TIER = "-XX:TieredStopAtLevel=1"
