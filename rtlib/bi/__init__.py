"""BI: a Power BI project over the warehouse, generated from a single description.

spec     tables, measures and pages; plain data
tmdl     the semantic model as TMDL
report   the report as PBIR
check    errors that keep the project from opening, or a visual from showing data
forms    the JSON schemas that Microsoft publishes for the files of a report
project  all files of both variants: DirectQuery over Snowflake, and import of exported files
"""

from rtlib.bi.check import problems
from rtlib.bi.project import VARIANTS, build, outdated
from rtlib.bi.spec import MEASURES, PAGES, TABLES, Column, Measure, Page, Table, Visual, with_columns

__all__ = [
    "Column",
    "MEASURES",
    "Measure",
    "PAGES",
    "Page",
    "TABLES",
    "Table",
    "VARIANTS",
    "Visual",
    "build",
    "outdated",
    "problems",
    "with_columns",
]
