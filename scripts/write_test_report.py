"""Write docs/test-all.md from the JUnit XML of ``make test-all``."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "test-all.md"
SLOWEST = 15


def report(suite: ElementTree.Element, commit: str) -> str:
    """The report as Markdown.

    Args:
        suite: The ``testsuite`` element.
        commit: The short name of the commit that was tested.
    """
    outcomes, seconds = Counter[str](), defaultdict[str, float](float)
    slowest: list[tuple[float, str]] = []
    for case in suite.iter("testcase"):
        room = ".".join(case.attrib["classname"].split(".")[:2])
        duration = float(case.attrib["time"])
        outcomes[outcome(case)] += 1
        seconds[room] += duration
        name = case.attrib["name"].replace("|", "\\|")
        slowest.append((duration, f"{case.attrib['classname'].rpartition('.')[2]}: {name}"))
    counts = ", ".join(f"{count:,} {name}" for name, count in outcomes.most_common())
    rooms = sorted(seconds.items(), key=lambda folder: -folder[1])
    lines = [
        "# Last run of `make test-all`",
        "",
        f"Commit {commit}, {suite.attrib['timestamp'][:10]}, {float(suite.attrib['time']) / 60:.0f} minutes in two "
        f"processes: {counts}.",
        "",
        "| folder | minutes |",
        "|---|---|",
        *(f"| {room.replace('.', '/')} | {duration / 60:.1f} |" for room, duration in rooms),
        "",
        "| test | seconds |",
        "|---|---|",
        *(f"| {name} | {duration:.0f} |" for duration, name in sorted(slowest, reverse=True)[:SLOWEST]),
    ]
    return "\n".join(lines) + "\n"


def outcome(case: ElementTree.Element) -> str:
    """Whether a test passed, was skipped, or failed."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def main() -> None:
    """Read the file given on the command line, and write the report."""
    suite = ElementTree.parse(sys.argv[1]).getroot().find("testsuite")
    if suite is None:
        raise SystemExit(f"{sys.argv[1]} has no test suite; cure: make test-all")
    command = ("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    commit = subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
    REPORT.write_text(report(suite, commit), encoding="utf-8")


if __name__ == "__main__":
    main()
