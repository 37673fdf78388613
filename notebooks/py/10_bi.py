# ---
# jupyter:
#   jupytext:
#     formats: notebooks//ipynb,notebooks/py//py:percent
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
# - what happens to a report when somebody renames a column, and how to know before the reader does
# - how the same report asks a warehouse every few seconds, or reads files and asks nobody
#
# The stack must be running (`rtlib up`). You need no Windows and no Power BI: the pages are drawn here from the same
# measures. With history there is more to see: `rtlib backfill`, then `rtlib dbt build`. This lesson takes fifteen
# minutes or so.

# %% [markdown]
# What you may change: which page is drawn first.

# %% tags=["parameters"]
page_name = "live"

# %% [markdown]
# Papermill runs a lesson with other values, as in `papermill 10_bi.ipynb done.ipynb -p page_name trend`. The next line
# checks them, so that a value that cannot work is refused here and not somewhere in the middle.

# %%
from rtlib.lessons import check

page_name = check("10_bi", page_name=page_name)

# %% [markdown]
# We ask whether the warehouse answers. And, as before, predict before you run a cell: replace `None` by your guess.

# %%
from rtlib.config import load_settings
from rtlib.pipeline.monitoring import health

settings = load_settings()
print(f"the warehouse {health.warehouse(settings)}")

def compare(guess, truth):
    verdict = "no guess yet" if guess is None else "as you said" if guess == truth else f"you said {guess!r}"
    print(f"{truth!r} ({verdict})")

# %% [markdown]
# ## A project of text files
#
# A Power BI report is a folder of text: a *semantic model* (TMDL: tables, relationships, measures) and a *report*
# (PBIR: pages and visuals, as JSON). So it can be reviewed, compared and made by a program like any other code. Ours is
# in `powerbi/`. This is one table of the model.

# %%
from rtlib.pipeline import power_bi

table = power_bi.folder() / "rtlib.SemanticModel" / "definition" / "tables" / "hourly_kpis.tmdl"
print("\n".join(table.read_text().splitlines()[:16]))

# %% [markdown]
# The line with `measure` is what BI people call a *measure*: a formula over whatever rows a reader has chosen. A column
# is stored; a measure is asked. **Predict:** as an example, two sites have a mean wait of 4 and of 8 minutes, and the
# second has three times as many customers. A visual shows the mean over both. What does `AVERAGE` of the two rows say,
# and what is right?

# %%
import pandas as pd

rows = pd.DataFrame({"site": ["north", "south"], "wait": [4.0, 8.0], "customers": [100, 300]})
my_guess = None  # for instance (6.0, 7.0)
compare(my_guess, (rows.wait.mean(), float((rows.wait * rows.customers).sum() / rows.customers.sum())))

# %% [markdown]
# The measure's description says which of the two it is, and so must yours. Our *KPI by hour* is the mean over sites,
# each counting alike. These are all measures, each with its formula in DAX, Power BI's language.

# %%
from rtlib.bi import MEASURES, PAGES

pd.set_option("display.max_colwidth", 90)
pd.DataFrame([(one.name, one.table, one.dax) for one in MEASURES], columns=["measure", "table", "DAX"])

# %% [markdown]
# The report needs the marts, which dbt builds (lesson 05). If they are not there yet, they are built now; that takes
# half a minute.

# %%
from rtlib.pipeline import dbt

if power_bi.exists(settings):
    print(dbt.build(settings, unit_tests=False).passed, "tests passed")
assert power_bi.exists(settings) == [], "a column of the model is not in the warehouse: rtlib dbt build"

# %% [markdown]
# ## The pages
#
# A visual says what it is drawn as, which column goes along its axis, and which measures it shows. From that the report
# is written, and from the same the next cells draw. First the rows that one visual would ask for.

# %%
page = next(one for one in PAGES if one.name == page_name)
visual = next((one for one in page.visuals if one.kind == "line"), page.visuals[-1])
told = power_bi.rows(settings, visual)
told.tail(3)

# %% [markdown]
# And the drawing, by plotly. A card is a large number, a column chart compares, a line is for time. The colours are
# those of the report itself: people who see red and green alike can tell them apart.

# %%
import plotly.express as px

from rtlib.bi.report import COLOURS

style = {"height": 330, "template": "plotly_white", "color_discrete_sequence": COLOURS}
times = {"window_start", "hour_start", "day_start", "interval_start"}

# %% [markdown]
# Whatever has no axis is shown as a table. All moments of this warehouse are in UTC, and the axis says so.

# %%
def draw(visual):
    told, axis = power_bi.rows(settings, visual), visual.category
    if visual.kind in ("card", "slicer", "table") or told.empty:
        return told.tail(5)
    chart = px.line if visual.kind == "line" else px.bar
    labels = {"value": ", ".join(visual.measures), **({axis: f"{axis}, UTC"} if axis in times else {})}
    measured = list(visual.measures) if visual.series is None else visual.measures[0]
    return chart(told, x=axis, y=measured, color=visual.series, title=visual.title, labels=labels, **style)


# %% [markdown]
# The visual of which we have seen the rows:

# %%
draw(visual)

# %% [markdown]
# And so the whole page, visual by visual. In Power BI they stand side by side; here one below the other. Set
# `page_name` to `"trend"`, `"forecast"`, `"staffing"` or `"alerts"` above, and run from there, to see the others.
# Where a page has a slicer, we choose its first value; in Power BI you would click.

# %%
from IPython.display import display

for one in page.visuals:
    display(draw(one))

# %% [markdown]
# **Predict:** how many visuals does the whole report have, over all pages?

# %%
my_guess = None  # for instance 12
compare(my_guess, sum(len(one.visuals) for one in PAGES))
for one in PAGES:
    print(f"{one.title:<20}", ", ".join(other.title for other in one.visuals))

# %% [markdown]
# The staffing page, as another example: who is needed, and who is on the plan. It is empty as long as nothing was
# planned (`rtlib staffing forecast`, then `rtlib staffing plan`).

# %%
people = next(one for one in PAGES if one.name == "staffing").visuals[-1]
draw(people)

# %% [markdown]
# ## When somebody renames a column
#
# In most houses a report breaks when its reader opens it: an empty box, and a message that nobody understands. Ours is
# checked: each column that a visual or a measure names must be one that dbt's own manifest knows. We play a colleague
# who renames `measured_value` of a mart. **Predict:** how many problems are found, and do they say which visual breaks?

# %%
from dataclasses import replace

from rtlib.bi import problems

tables = power_bi.tables(settings)
renamed = [replace(one, columns=tuple(c for c in one.columns if c.name != "measured_value"))
           if one.name == "hourly_kpis" else one for one in tables]
found = problems({}, tuple(renamed))
my_guess = None  # for instance 1
compare(my_guess, len(found))

# %% [markdown]
# Here is what it says. In a terminal the same is `rtlib bi validate`, and a test of this project asks it too.

# %%
print(*found, sep="\n")
assert any("by_hour" in one for one in found), "the visual that breaks must be named"
assert problems({}, tables) == [], "as it is, nothing may be wrong"

# %% [markdown]
# ## Asking, or reading
#
# There are two projects. `powerbi/rtlib.pbip` is *DirectQuery*: each visual is a query to Snowflake, and the page
# *Live* repeats it every five seconds. That holds in Power BI Desktop; in the Service an administrator sets the
# shortest interval that a capacity allows, and it may be minutes. `rtlib-files.pbip`, which each export writes beside
# its Parquet files, *imports* these files and queries nothing: it is for people without Snowflake, and as old as its
# files. **Predict:** which of the two costs more when nobody looks?

# %% [markdown]
# Neither: a report that nobody looks at asks nothing. But one that is left open on a wall asks all night, and a
# warehouse that is asked never sleeps. Refresh as slowly as the reader can bear.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    written = dict(power_bi.export(settings, to=Path(folder)))
    size = sum(path.stat().st_size for path in Path(folder).glob("*.parquet"))
print(f"{sum(written.values()):,} rows of {len(written)} tables in {size / 1e6:.1f} MB")

# %% [markdown]
# **Try it:** set `page_name` to `"alerts"` at the top and run from there. That page has no line at all. What is drawn
# in its place, and why does a renamed column of `late_and_rejected` break this page and not *Live*?
#
# <details><summary>A hint</summary>
#
# Each visual names one table. Print `[(one.name, one.table) for one in page.visuals]`.
#
# </details>
# <details><summary>The answer</summary>
#
# The last visual, a column chart: *Records by outcome*. It is the only one that reads `late_and_rejected`;
# on *Live* none does, so nothing there breaks.
#
# </details>
#
# With Windows you can go on: `rtlib bi export --to export`, then open `export/rtlib-files.pbip` in Power BI Desktop and
# set its parameter `Folder` to that folder. The files are checked for what they refer to and for their form, against
# the schemas that Microsoft publishes. Desktop itself does not run here, so how they look there was not seen by us.

# %% [markdown]
# You have learned
#
# - what a semantic model is, and why a measure is not a column
# - how one description becomes a report, a model and this preview, so that they cannot drift apart
# - what happens to a report when somebody renames a column, and how to know before the reader does
# - how the same report asks a warehouse every few seconds, or reads files and asks nobody
#
# That was the last lesson. Break something, and see whether you know why it comes back.
