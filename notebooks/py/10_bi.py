# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 BI: a report for people who do not open notebooks
#
# You will learn
#
# - what a semantic model is, and why a measure is not a column
# - how one description becomes a report, a model and this preview, so that they cannot drift apart
# - what happens to a report when a column is renamed, and how to notice before the reader does
# - how the same report queries a warehouse every few seconds, or reads files and queries nothing
#
# The stack must be running (`rtlib up`). You need neither Windows nor Power BI: the lesson draws the pages from the
# same measures. The lesson takes about fifteen minutes.

# %% [markdown]
# The parameter of this lesson: which page of the report is drawn.

# %% tags=["parameters"]
page_name = "live"

# %% [markdown]
# Papermill can run the lesson with another value, for example `papermill 10_bi.ipynb done.ipynb -p page_name trend`.
# `parameters` validates it. `predict` prints a result next to your guess.

# %%
from rtlib.lessons import parameters, predict

page_name = parameters("10_bi", page_name=page_name)

# %% [markdown]
# First a health check of the warehouse.

# %%
from rtlib.config import load_settings
from rtlib.pipeline.monitoring import health

settings = load_settings()
print(f"the warehouse {health.warehouse(settings)}")

# %% [markdown]
# ## A project of text files
#
# A Power BI project is a folder of text files: a *semantic model* (TMDL: tables, relationships, measures) and a
# *report* (PBIR: pages and visuals, as JSON). So it can be reviewed, compared and generated like any other code. This
# project's report is in `powerbi/`. The cell prints one table of the model.

# %%
from rtlib.pipeline import power_bi

table = power_bi.folder() / "rtlib.SemanticModel" / "definition" / "tables" / "hourly_kpis.tmdl"
print("\n".join(table.read_text().splitlines()[:16]))

# %% [markdown]
# The line with `measure` defines a *measure*: a formula over the rows that the reader has selected. A column is stored;
# a measure is computed on request. As an example, two sites have a mean wait of 4 and of 8 minutes, and the second site
# has three times as many customers. A visual shows the mean over both sites.
#
# **Predict:** what is the `AVERAGE` of the two rows, and what is the correct mean?

# %%
import pandas as pd

waits = pd.DataFrame({"site": ["north", "south"], "wait": [4.0, 8.0], "customers": [100, 300]})
my_guess = None  # for example (6.0, 7.0)
predict("10.a", my_guess, (waits.wait.mean(), float((waits.wait * waits.customers).sum() / waits.customers.sum())))

# %% [markdown]
# The description of a measure must say which of the two it computes. *KPI by hour* is the mean over sites, and each
# site has the same weight. The table lists all measures, each with its formula in DAX, the language of Power BI.

# %%
from rtlib.bi import MEASURES, PAGES

pd.set_option("display.max_colwidth", 90)
pd.DataFrame([(measure.name, measure.table, measure.dax) for measure in MEASURES], columns=["measure", "table", "DAX"])

# %% [markdown]
# The report reads the marts, which dbt builds (lesson 05). The cell builds them if they do not exist yet; that takes
# about half a minute.

# %%
from rtlib.pipeline import dbt

if power_bi.exists(settings):
    print(dbt.build(settings, unit_tests=False).passed, "tests passed")
assert power_bi.exists(settings) == [], "a column of the model is not in the warehouse: rtlib dbt build"

# %% [markdown]
# ## The pages
#
# The description of a visual names its chart type, the column of its axis, and its measures. The report is generated
# from this description, and so are the charts below. First query the rows of one visual.

# %%
page = next(page for page in PAGES if page.name == page_name)
visual = next((each for each in page.visuals if each.kind == "line"), page.visuals[-1])
rows = power_bi.rows(settings, visual)
rows.tail(3)

# %% [markdown]
# Plotly draws the charts. A card shows a large number, a column chart compares categories, a line chart shows a
# development over time. The colours are those of the report; people with a red-green deficiency can distinguish them.

# %%
import plotly.express as px

from rtlib.bi.report import COLOURS

style = {"height": 330, "template": "plotly_white", "color_discrete_sequence": COLOURS}
time_columns = {"window_start", "hour_start", "interval_start"}


# %% [markdown]
# `draw` returns a chart, or a table for a visual without an axis. Where the axis has instants, its label says UTC. A
# `business_day` is a date by the clocks of each site, so the same date begins at different instants.

# %%
def draw(visual):
    rows, axis = power_bi.rows(settings, visual), visual.category
    if visual.kind in ("card", "slicer", "table") or rows.empty:
        return rows.tail(5)
    chart = px.line if visual.kind == "line" else px.bar
    zones = {**dict.fromkeys(time_columns, "UTC"), "business_day": "by the clocks of the site"}
    labels = {"value": ", ".join(visual.measures), **({axis: f"{axis}, {zones[axis]}"} if axis in zones else {})}
    measured = list(visual.measures) if visual.series is None else visual.measures[0]
    return chart(rows, x=axis, y=measured, color=visual.series, title=visual.title, labels=labels, **style)


# %% [markdown]
# Draw the visual whose rows you have just seen.

# %%
draw(visual)

# %% [markdown]
# Now draw the whole page. Power BI arranges the visuals side by side; here they follow one another. To see another
# page, set `page_name` at the top to `"trend"`, `"forecast"`, `"staffing"` or `"alerts"`, and run again from there. If
# a page has a slicer, the lesson selects its first value; in Power BI you would click.

# %%
from IPython.display import display

for each in page.visuals:
    display(draw(each))

# %% [markdown]
# **Predict:** how many visuals does the whole report have, on all pages together?

# %%
my_guess = None  # for example 12
predict("10.b", my_guess, sum(len(each.visuals) for each in PAGES))
for each in PAGES:
    print(f"{each.title:<20}", ", ".join(visual.title for visual in each.visuals))

# %% [markdown]
# Another example is the staffing page: how many people are needed, and how many are planned. It is empty until the
# first plan is made, some minutes after the first start of a stack (`rtlib batch status`).

# %%
staffing_page = next(each for each in PAGES if each.name == "staffing")
draw(staffing_page.visuals[-1])

# %% [markdown]
# ## When a column is renamed
#
# In many organizations a broken report is discovered when a reader opens it: an empty box, with a message that only a
# developer understands. This project checks earlier: each column that a visual or a measure uses must exist in dbt's
# manifest. The next cell renames the column `measured_value` of a mart, in memory only.
#
# **Predict:** how many problems does the check report? Does it name the visuals that break?

# %%
from dataclasses import replace

from rtlib.bi import problems

tables = power_bi.tables(settings)
mart = next(each for each in tables if each.name == "hourly_kpis")
remaining = tuple(column for column in mart.columns if column.name != "measured_value")
renamed = [replace(mart, columns=remaining) if each is mart else each for each in tables]
reported = problems({}, tuple(renamed))
my_guess = None  # for example 1
predict("10.c", my_guess, len(reported))

# %% [markdown]
# These are the problems. `rtlib bi validate` runs the same check in a terminal, and a test of this project runs it too.

# %%
print(*reported, sep="\n")
assert any("by_hour" in problem for problem in reported), "the visual that breaks must be named"
assert problems({}, tables) == [], "the real marts must have no problem"

# %% [markdown]
# ## DirectQuery or import
#
# The report exists in two variants. `powerbi/rtlib.pbip` uses *DirectQuery*: each visual sends a query to Snowflake,
# and the page *Live* refreshes every five seconds. Those five seconds hold in Power BI Desktop; in the Power BI Service
# an administrator sets the minimum interval of a capacity, which may be minutes. `rtlib-files.pbip`, which each export
# writes beside its Parquet files, *imports* these files and sends no queries. It is for people without Snowflake, and
# its data is as old as its files.
#
# **Predict:** which of the two costs more while no reader has the report open?

# %% [markdown]
# Neither: a closed report sends no queries. But a report on a wall display sends queries all night, and keeps a paid
# warehouse running. Choose the slowest refresh that the reader accepts.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    exported = dict(power_bi.export(settings, to=Path(folder)))
    size = sum(file.stat().st_size for file in Path(folder).glob("*.parquet"))
print(f"{sum(exported.values()):,} rows of {len(exported)} tables in {size / 1e6:.1f} MB")

# %% [markdown]
# **Try it:** set `page_name` to `"alerts"` at the top and run again from there. That page has no line chart. Which
# visual is drawn instead? And why does a renamed column of `late_and_rejected` break this page, but not *Live*?
#
# <details><summary>A hint</summary>
#
# Each visual names one table. Print `[(each.name, each.table) for each in page.visuals]`.
#
# </details>
# <details><summary>The answer</summary>
#
# The last visual, a column chart: *Records by what became of them*. It is the only visual that reads
# `late_and_rejected`. No visual on *Live* reads that table, so nothing breaks there.
#
# </details>
#
# On Windows you can continue: run `rtlib bi export --to export`, open `export/rtlib-files.pbip` in Power BI Desktop,
# and set its parameter `Folder` to that folder. The project's tests validate the references and the form of these
# files against Microsoft's published schemas. The report has not been opened in Power BI Desktop
# itself, which needs Windows.

# %% [markdown]
# ## Your turn
#
# Four exercises on what you have seen. Replace the blanks, and run the cell: `check` says whether your answer is right
# and, if it is not, which belief it shows. A cell that you leave as it is counts as not answered yet. The last exercise
# is a boss: it needs what you know of the whole pipeline.

# %%
from rtlib.lessons import check, given, hint, solution

# %% [markdown] exercise="10.1"
# ### Exercise 10.1: a measure for any selection
#
# `rows` are those that the reader has selected, with `wait` (the mean wait of a site and hour) and `customers`.
# Complete the measure: the mean wait of a *customer* in the selection.
#
# *About 4 minutes (complete a line). Help: `hint("10.1")`, and after a try `solution("10.1")`.*

# %% exercise="10.1"
### BEGIN SOLUTION
def measure(rows):
    return (rows.wait * rows.customers).sum() / rows.customers.sum()
### END SOLUTION
check("10.1", measure)


# %% [markdown] exercise="10.2"
# ### Exercise 10.2: which visuals are broken?
#
# `visuals` has for each visual its table and its columns: `{"wait by hour": ("hourly", ["hour", "wait"])}`; `tables`
# has the columns of each table as a set. Return the names of the visuals that would show an error, because a column or
# a table does not exist.
#
# *About 7 minutes (write your own). Help: `hint("10.2")`, and after a try `solution("10.2")`.*

# %% exercise="10.2"
### BEGIN SOLUTION
def broken(visuals, tables):
    return {name for name, (table, columns) in visuals.items() if not set(columns) <= tables.get(table, set())}
### END SOLUTION
check("10.2", broken)


# %% [markdown] exercise="10.3"
# ### Exercise 10.3: a report on the wall
#
# Lesson 03 and this one together: a report with `visuals` visuals hangs on a wall for `hours` hours a day, and sends a
# query for each visual every `refresh` seconds, each of which takes 0.2 s. The warehouse is billed while it runs, and
# suspends itself after 60 seconds without a query. How many hours a day are billed? (Within a tenth of an hour.)
#
# *About 5 minutes (join two lessons). Help: `hint("10.3")`, and after a try `solution("10.3")`.*

# %% exercise="10.3"
### BEGIN SOLUTION
hours, refresh, visuals = given("10.3")
billed_hours = hours + 60 / 3600
### END SOLUTION
check("10.3", billed_hours)


# %% [markdown] exercise="10.4"
# ### Exercise 10.4: boss: where is it sick?
#
# The report is old, and so is the dashboard. `nodes` is the graph: `{"speed": {"upstream": ["loader"], "fresh": False,
# "age": 106}, …}`, with the age of the numbers in seconds. Return the set of the parts where the trouble *begins*:
# those that have to be repaired so that all others recover by themselves. There can be more than one.
#
# *About 12 minutes (boss exercise). Help: `hint("10.4")`, and after a try `solution("10.4")`.*

# %% exercise="10.4"
### BEGIN SOLUTION
def root_causes(nodes):
    old = {name for name, node in nodes.items() if not node['fresh']}
    return {name for name in old if not old & set(nodes[name]['upstream'])}
### END SOLUTION
check("10.4", root_causes)


# %% [markdown]
# You have learned
#
# - what a semantic model is, and why a measure is not a column
# - how one description becomes a report, a model and this preview, so that they cannot drift apart
# - what happens to a report when a column is renamed, and how to notice before the reader does
# - how the same report queries a warehouse every few seconds, or reads files and queries nothing
#
# That was the last lesson. Now break a part of the pipeline, and explain why it recovers.
