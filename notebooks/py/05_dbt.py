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
# # 05 From raw events to tables one can trust, with dbt
#
# You will learn
#
# - what a model is, and how dbt knows in which order to build models
# - how an incremental model costs what is new, and not what there is
# - how a test finds a bad row before a report does
# - why the fast layer and the exact one differ, measure by measure
#
# The stack must be running (`rtlib up`), and it should have run for a few minutes, so that there are whole windows to
# compare. This lesson takes half an hour or so. It adds history to the warehouse, and one bad row, which it takes
# away again.

# %% [markdown]
# What you may change: how many days of history there are, and how many events a day. Leave it as it is for now.

# %% tags=["parameters"]
days = 7
per_day = 5_000

# %% [markdown]
# Papermill runs a lesson with other values, as in `papermill 05_dbt.ipynb done.ipynb -p days 14`. The next line checks
# them, so that a value that cannot work is refused here and not somewhere in the middle.

# %%
from rtlib.lessons import check

days, per_day = check("05_dbt", days=days, per_day=per_day)

# %% [markdown]
# The warehouse holds what the pipeline has archived since it was started, which is hardly a business yet. So we load
# some history, straight into `RAW.EVENTS`. It is simulated from the same domain with the same busy and quiet hours.
# Run the cell again and it loads nothing, and tomorrow it loads one day: a day that has history already is left as it
# is, whatever it was made with. Otherwise a week that was loaded twice would be a week with twice the customers.

# %%
from rtlib.config import load_settings
from rtlib.pipeline.backfill import backfill
from rtlib.warehouse.connection import connect, execute, query

settings = load_settings()
print(f"{backfill(settings, days=days, per_day=per_day):,} events of the domain {settings.domain} are new")

def compare(guess, truth):
    verdict = "no guess yet" if guess is None else "as you said" if guess == truth else f"you said {guess!r}"
    print(f"{truth!r} ({verdict})")

# %% [markdown]
# ## A model is a SELECT
#
# In the folder `dbt/models` each file holds one `SELECT`. That is a *model*: its name is the name of the file, and
# dbt makes a view or a table of it. Where a model reads another one, it does not write that one's name but `{{
# ref('...') }}`, and where it reads a table that somebody else fills, `{{ source('...') }}`. Here is one that only
# brings columns into form:

# %%
from rtlib.config import project_root

models = project_root() / "dbt" / "models"
print((models / "staging" / "stg_events.sql").read_text())

# %% [markdown]
# From these references dbt knows what is made of what. So nobody has to write down an order, and nobody can get it
# wrong. We ask for that *lineage*. **Predict:** how many models read the source `raw.events` directly?

# %%
import pandas as pd

from rtlib.pipeline import dbt

my_guess = None  # for instance 3
lineage = dbt.lineage(settings)
source = lineage.find("raw.events").id
readers = [edge.downstream for edge in lineage.edges if edge.upstream == source]
compare(my_guess, sum(one.startswith("model.") for one in readers))
readers

# %% [markdown]
# One model, which is called a *staging* model, and every other one reads that. The other reader is no model but an
# *exposure*, something outside dbt that uses its tables: the forecasts count the raw events themselves, and admit it.
# So a column of the source that is renamed one day changes two places, and the lineage names both.
#
# Below is the whole project. `depth` is how many steps a thing is away from where rows come from. Read the column
# `about`: each description begins by saying what one row is, which is called the *grain*. Most mistakes with tables
# are mistakes about the grain.

# %%
pd.set_option("display.max_colwidth", 110)
nodes = pd.DataFrame([(node.depth, node.kind, node.name, node.tests, node.about) for node in lineage.nodes])
nodes.columns = ["depth", "kind", "name", "tests", "about"]
nodes.set_index(["depth", "kind", "name"])

# %% [markdown]
# The three exposures among them are no tables. They say who uses the marts, so that one can ask the question that
# matters before changing something. **Predict:** who is hurt if `int_kind_intervals` is wrong? Look at the table
# above, and then at the answer.

# %%
lineage.downstream_of("int_kind_intervals")

# %% [markdown]
# ## Build
#
# `dbt build` goes through the lineage: for each node it makes the table, and then runs that node's tests. In a
# terminal it is `rtlib dbt build`. Here we call the same from Python, in this process: dbt takes its time to start,
# and in here it starts once. **Predict:** `interval_load` has one row for each site and each half-hour that is over.
# About how many rows is that? You know the number of days; the number of sites is in `dbt/seeds/sites.csv`.

# %%
my_guess = None  # for instance 7 * 48 * 6
report = dbt.build(settings, unit_tests=False)
compare(my_guess, report.node("interval_load").rows)
print(f"{len(report.nodes)} nodes and {len(report.checks)} tests in {report.seconds:.1f} s; all well: {report.ok}")

# %% [markdown]
# Perhaps it is a few more than you said, because the live events of today are in it too, and other domains if
# somebody has loaded them. Each node has its result. Which one took longest? The time is not where the rows are: for
# small tables the warehouse spends most of it on reading the statement.

# %%
columns = ["layer", "name", "materialized", "rows", "touched", "seconds", "tests_passed"]
table = pd.DataFrame([{name: getattr(one, name) for name in columns} for one in report.nodes])
table.set_index(["layer", "name"])

# %% [markdown]
# ## Again, and only what is new
#
# Look at `int_kind_intervals`: it is *incremental*, and the only model that reads every event. The first time it
# counts all of them. After that it looks only at intervals that got an event since its last run, counts those anew,
# and merges them into the table by their key. **Predict:** we build it a second time, with the simulator still
# sending. How many of its rows are touched: `"all"`, `"some"` or `"none"`?

# %%
my_guess = None  # for instance "all"
again = dbt.build(settings, select=["int_kind_intervals"], unit_tests=False).node("int_kind_intervals")
compare(my_guess, "none" if not again.touched else "some" if again.touched < again.rows else "all")
print(f"{again.touched:,} of {again.rows:,} rows")

# %% [markdown]
# Some: those of the half-hour that is going on, for each site and kind of event, and those that got a late event.
# That is why it does not simply take "everything newer than the newest": an event that happened at noon and arrives
# at one would be forgotten for ever. And because it counts whole intervals anew and merges by key, it may run twice,
# or break in the middle and run again, and the numbers stay the same.
#
# ## A bad row
#
# A test is a `SELECT` too: it asks for rows that should not be there, and passes when it finds none. We plant a row
# with a kind of event that no domain knows. **Predict:** does the build stop at that test, or does it go on and build
# the marts?

# %%
warehouse = connect(settings)
execute(warehouse, "insert into RAW.EVENTS select * replace ('lesson-1' as event_id, 'lesson' as producer_id, "
        "'order_lost' as kind, current_timestamp()::timestamp_ntz as loaded_at) "
        "from RAW.EVENTS where topic = 'history' limit 1")
report = dbt.build(settings, select=["stg_events+"], unit_tests=False)
print([failed.summary for failed in report.failed])

# %% [markdown]
# The test names the model, the column and the number of rows. And what was to be made of that model is not made:

# %%
print("not built:", ", ".join(broken.name for broken in report.broken))
print("the node of dbt on the graph says:", dbt.observation(settings).reason)

# %% [markdown]
# So yesterday's numbers stay where they are, which is better than today's with an error in them. In a terminal the
# same run ends with exit code 1, so that whatever started it notices. We take the row away and build again.

# %%
execute(warehouse, "delete from RAW.EVENTS where producer_id = 'lesson'")
report = dbt.build(settings, select=["stg_events+"], unit_tests=False)
assert report.ok, [failed.summary for failed in report.failed] + [broken.message for broken in report.broken]
print(f"{report.passed} tests passed, {len(report.broken)} nodes not built")

# %% [markdown]
# Such tests look at data. Whether the SQL is right is another question, and waiting for the right data to come along
# is a poor way to find out. A *unit test* brings its own rows: a few lines of input, and what must come out. This one
# is for `interval_load`; it lies beside the model.

# %%
text = (models / "marts" / "interval_load.yml").read_text()
print(text[text.index("unit_tests:"):])
checked = dbt.build(settings, select=["interval_load"])
[(one.name, one.status, round(one.seconds, 2)) for one in checked.checks if one.kind == "unit_test"]

# %% [markdown]
# **Try it:** in `interval_load.sql`, write `when true` for `when kinds.is_staffed` in the line of `events`, so that
# every kind of event counts. **Predict:** which of the two sorts of test finds it first, and with which number? Then do
# it: in a terminal, `rtlib dbt build interval_load`. Undo it afterwards.
#
# <details><summary>A hint</summary>
#
# A unit test runs before its model is built. Look at its rows above: which of them has a kind that is not staffed?
#
# </details>
# <details><summary>The answer</summary>
#
# The unit test, before a single row of yours was touched: for site `x` it expects 2 events and gets 11, because the 9
# of kind `read` are counted as well. The model is then not built, and its data tests do not run. They would have found
# nothing: 11 is a number like any other.
#
# </details>

# %% [markdown]
# ## Two answers to one question
#
# The stream has said what each minute was like, seconds after it was over. Now all events of that minute are here,
# also those that came late, and dbt computes every measure again from all of them. `speed_batch_reconciliation` holds
# the two against one another: one row for each site, window and measure. **Predict:** do most of them agree?

# %%
counted = query(warehouse, "select explanation, measure, count(*) as windows, max(abs(difference)) as furthest_off "
                "from MARTS.SPEED_BATCH_RECONCILIATION where domain = ? group by 1, 2", [settings.domain])
columns = ["explanation", "measure", "windows", "furthest_off"]
pd.DataFrame(counted, columns=columns).set_index(["explanation", "measure"]).sort_index()

# %% [markdown]
# Most do. For the others there are two reasons, and no third:
#
# - *late*: an event was behind the watermark when the stream read it. The stream must forget old windows at some time,
#   or it would remember all of them for ever; so it drops such an event. The archive does not.
# - *open window*: the window can still change in one of the two. That holds only while at most some ten minutes of
#   later events are here.
#
# After that a window that one of the two is silent about is called *not measured*, and any other difference
# *unexplained*. Both fail a test, and with it the build. How can dbt know that a mean is off
# because of a late event? Each micro-batch of the stream tells which offsets it read and where its watermark stood, and
# the loader keeps that in `SPEED.BATCHES`. So dbt finds for each event the batch that read it, and computes the mean
# with all events and without those that their batch dropped. What the stream said has to lie between the two. Here
# are some windows in which something was dropped:

# %%
late = query(warehouse, "select site, window_start, measure, speed_value, batch_value, difference "
             "from MARTS.SPEED_BATCH_RECONCILIATION where domain = ? and explanation = 'late' "
             "order by window_start desc, site, measure limit 12", [settings.domain])
columns = ["site", "window_start", "measure", "speed_value", "batch_value", "difference"]
pd.DataFrame(late, columns=columns).set_index(["site", "window_start", "measure"])

# %% [markdown]
# If the table is empty, nothing has been that late yet; wait some minutes, then build and look again. Which of the
# two numbers would you put on a screen that somebody watches, and which into a report that somebody is paid by?
#
# ## The same by hand
#
# Nothing here is special to notebooks. `eval "$(rtlib dbt env)"` in a terminal tells the stock `dbt` where everything
# is, and then `dbt build --select +interval_load` does what you have seen. With a Snowflake account in `.env.local`
# the same models run there: what differs between the two warehouses is in `dbt/macros/local_warehouse.sql`, and
# nowhere else. How old are the sources? dbt asks that too:

# %%
warehouse.close()
[(reading.name, round(reading.value or 0), reading.unit) for reading in dbt.source_readings(settings)]

# %% [markdown]
# You have learned
#
# - what a model is, and how dbt knows in which order to build models
# - how an incremental model costs what is new, and not what there is
# - how a test finds a bad row before a report does
# - why the fast layer and the exact one differ, measure by measure
#
# Next comes forecasting: what `interval_load` counts is what is forecast.
