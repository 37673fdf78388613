"""Transform: dbt-core runs the project in ``dbt/`` against the warehouse, in this process, with a report per model.

project     the folder of the project, its profile, and the environment that a stock ``dbt`` needs
run         build and docs, by dbt's own runner
records     frozen records of a run
results     the files of a run as records, also of a run started by hand
lineage     the models and their dependencies, from dbt's manifest
selected    the columns that the SQL of a model returns, whatever its YAML declares
bench       the time of a model in this process and by the command line
"""

from rtlib.transform.bench import Race, race
from rtlib.transform.lineage import DbtLineage, DbtNode, Edge, columns, lineage
from rtlib.transform.project import exports, secrets_needed
from rtlib.transform.records import BuildReport, CheckResult, NodeResult, SourceFreshness
from rtlib.transform.results import last_freshness, last_report
from rtlib.transform.run import build, docs
from rtlib.transform.selected import columns_by_sql

__all__ = [
    "BuildReport",
    "CheckResult",
    "DbtLineage",
    "DbtNode",
    "Edge",
    "NodeResult",
    "Race",
    "SourceFreshness",
    "build",
    "columns",
    "columns_by_sql",
    "docs",
    "exports",
    "last_freshness",
    "last_report",
    "lineage",
    "race",
    "secrets_needed",
]
