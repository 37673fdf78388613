"""Transform: dbt-core runs the project in ``dbt/`` against the warehouse, in this process, and reports per model.

project     where the project is, the profile it gets, and what a stock ``dbt`` needs in its environment
run         build, docs and freshness, by dbt's own runner
results     what dbt left on disk, as records: also of a run that was started by hand
lineage     the models and what they are made of, from dbt's own manifest
selected    the columns that a model's SQL gives, whatever its YAML says
bench       how long one model takes in this process and by the command line
"""

from rtlib.transform.bench import Race, race
from rtlib.transform.lineage import DbtLineage, DbtNode, Edge, columns, lineage
from rtlib.transform.project import exports, secrets_needed
from rtlib.transform.records import BuildReport, CheckResult, NodeResult, SourceFreshness
from rtlib.transform.results import last_freshness, last_report
from rtlib.transform.run import build, docs, freshness
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
    "freshness",
    "last_freshness",
    "last_report",
    "lineage",
    "race",
    "secrets_needed",
]
