"""Groups of tests that one process runs, because they share something slow to start, or at least a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

# Folders with a session fixture that is slow to start: a stack, a warehouse, a Spark session, a build of dbt.
FOLDERS = ("integration", "dbt", "warehouse", "spark")
# With several processes the groups that take longest begin first, so that all processes end at about the same time.
# Stacks of their own come late, when the shared stack has ended.
LONGEST = ("integration", "dbt", "warehouse", "e2e", "services", "models", "spark", "distributions", "own_stack")


def group(nodeid: str) -> str:
    """The group of a test.

    >>> group("tests/spark/test_guard.py::test_a"), group("tests/e2e/test_pages.py::test_a[b/c]")
    ('spark', 'e2e/test_pages.py')
    """
    file = nodeid.partition("::")[0].removeprefix("tests/")
    folder = file.partition("/")[0]
    return folder if folder in FOLDERS else file


def rank(nodeid: str, *, alone: bool) -> int:
    """Where in the run a test comes.

    Args:
        nodeid: The test.
        alone: One process runs everything. The shared stack comes last then, to have the machine to itself.
    """
    folder = group(nodeid).partition("/")[0]
    if alone and folder == "integration":
        return len(LONGEST) + 1
    return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)


def scheduler(config: pytest.Config, log: Any) -> Any:
    """Distributes groups to processes, in the order in which they were collected."""
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False  # or the groups with most tests would come first
    return GroupScheduling(config, log)
