"""BI: a Power BI project over the warehouse, made of one description.

spec     tables, measures and pages; plain data
tmdl     the semantic model as TMDL
report   the report as PBIR
check    what would not open, or would show nothing
project  all files of both variants: DirectQuery over Snowflake, and import of exported files
"""

from rtlib.bi.check import problems
from rtlib.bi.project import VARIANTS, build, outdated
from rtlib.bi.spec import MEASURES, PAGES, TABLES, Column, Measure, Page, Table, Visual, with_columns

__all__ = [
    "MEASURES",
    "PAGES",
    "TABLES",
    "VARIANTS",
    "Column",
    "Measure",
    "Page",
    "Table",
    "Visual",
    "build",
    "outdated",
    "problems",
    "with_columns",
]
