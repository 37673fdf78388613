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
# # 05 From raw events to trustworthy tables, with dbt
#
# You will learn
#
# - what a model is, and how dbt determines the build order
# - why the cost of an incremental model depends on the new data, not on all of it
# - how a test finds a bad row before a report shows it
# - why the speed layer and the batch layer differ, measure by measure
# - why old events are kept as counts, and which questions that leaves without an answer
#
# The stack must be running (`rtlib up`), and should have been for a few minutes, so that there are complete windows to
# compare. The lesson adds history to the warehouse, and a bad row, which it removes again. It takes about half an hour.

# %% [markdown]
# The parameter of this lesson: how many days of history to load. Leave it unchanged for now.

# %% tags=["parameters"]
days = 7

# %% [markdown]
# Papermill can run the lesson with another value, for example `papermill 05_dbt.ipynb done.ipynb -p days 14`.
# `parameters` validates it. `predict` prints a result next to your guess.

# %%
from rtlib.lessons import parameters, predict

days = parameters("05_dbt", days=days)

# %% [markdown]
# The events since the start of the stack are too few for a daily pattern. Therefore a batch job loads four weeks of
# history when a stack starts for the first time. They come from the same demand as the live stream: the same rate, the
# same busy and quiet hours of each site, up to the moment at which the stream began. The next cell asks for history
# once more. A half-hour that already has data is skipped, because a week that is loaded twice would be a week with
# twice the customers. Only if the stack has no history yet (`--no-history`), the cell loads it.
#
# **Predict:** the stream brings several hundred thousand events a day. Loading four weeks of them takes seconds. How?

# %%
from rtlib.config import load_settings
from rtlib.pipeline.backfill import backfill
from rtlib.warehouse.connection import connect, execute, query

settings = load_settings()
loaded = backfill(settings, days=days)
print(f"{loaded.rolled_events:,} events in {loaded.intervals:,} half-hours, and {loaded.raw_events:,} single events")
with connect(settings) as warehouse:
    print(query(warehouse, "select count(*) as row_count, sum(events) as events from RAW.ROLLUPS"))

# %% [markdown]
# The first line shows what this cell loaded, the second what the warehouse holds. History is loaded as *rollups*: for
# each site, kind of event and half-hour a row in `RAW.ROLLUPS` with the number of events, and count, sum, minimum and
# maximum of their values. Only the half-hour in which the stream began is completed by single events. Real companies
# treat what grows old in the same way: they keep raw events for days and rollups for years. `rtlib retention` does it
# here with events older than two days. What is lost by it? Compare what both tables know about the same kind of
# event:

# %%
warehouse = connect(settings)
kind = query(warehouse, "select kind, count(value) as n from RAW.EVENTS where domain = ? group by 1 order by n desc",
             [settings.domain])[0]["kind"]
raw = query(warehouse, "select avg(value) as mean, max(value) as longest, median(value) as median from RAW.EVENTS "
            "where domain = ? and kind = ?", [settings.domain, kind])
rolled = query(warehouse, "select sum(value_sum) / sum(values_counted) as mean, max(value_max) as longest "
               "from RAW.ROLLUPS where domain = ? and kind = ?", [settings.domain, kind])
{"kind": kind, "raw": raw, "rolled up": rolled}

# %% [markdown]
# Mean and maximum can be computed from rollups: sums add up, and the maximum of maxima is the maximum. The median
# cannot: it needs every value. Nor can you count distinct customers, split an hour into minutes, or use a window that
# does not consist of whole half-hours.
#
# **Predict:** is the mean of the half-hourly means the same as the mean over all values?

# %%
query(warehouse, "select avg(value_sum / values_counted) as mean_of_means, "
      "sum(value_sum) / sum(values_counted) as mean from RAW.ROLLUPS where domain = ? and kind = ?",
      [settings.domain, kind])

# %% [markdown]
# Only if all half-hours had the same number of values. A quiet half-hour at night counts as much as a busy half-hour in
# the evening in the mean of means. That is why a rollup keeps sum and count, and never the mean.
#
# ## A model is a SELECT
#
# Each file in the folder `dbt/models` contains a `SELECT`. That is a *model*: its name is the name of the file, and dbt
# turns it into a view or a table. A model refers to another model by `{{ ref('...') }}`, and to a table that is loaded
# by other means by `{{ source('...') }}`. The cell prints a model that only selects and renames columns:

# %%
from rtlib.config import project_root

models = project_root() / "dbt" / "models"
print((models / "staging" / "stg_events.sql").read_text())

# %% [markdown]
# From these references dbt derives which model depends on which. So you never define a build order, and cannot get it
# wrong. These dependencies are the *lineage*.
#
# **Predict:** how many models read the source `raw.events` directly?

# %%
import pandas as pd

from rtlib.pipeline import dbt

my_guess = None  # for example 3
lineage = dbt.lineage(settings)
source = lineage.find("raw.events").id
readers = [edge.downstream for edge in lineage.edges if edge.upstream == source]
predict("05.a", my_guess, sum(reader.startswith("model.") for reader in readers))
readers

# %% [markdown]
# A single model, called a *staging* model; all other models read that model. If a column of the source is renamed, the
# staging model is the only model that must change. A reader that starts with `exposure` is not a model, but an
# application outside dbt that reads the table. It must change too, and the lineage tells you so.
#
# The table below shows the whole project. `depth` is the number of steps from the source. Read the column `about`: each
# description starts with the meaning of a row, which is called the *grain*. Most mistakes with tables are mistakes
# about the grain.

# %%
pd.set_option("display.max_colwidth", 110)
nodes = pd.DataFrame([(node.depth, node.kind, node.name, node.tests, node.about) for node in lineage.nodes])
nodes.columns = ["depth", "kind", "name", "tests", "about"]
nodes.set_index(["depth", "kind", "name"])

# %% [markdown]
# The exposures in this table declare which applications use the marts. So before you change a model you can ask which
# applications the change affects.
#
# **Predict:** which tables and applications are affected if `int_kind_intervals` is wrong? Decide with the table above,
# then compare with the answer.

# %%
lineage.downstream_of("int_kind_intervals")

# %% [markdown]
# ## Build
#
# `dbt build` walks through the lineage. For each node it builds the table and then runs the tests of that node. In a
# terminal that is `rtlib dbt build`. The lesson calls dbt in this process, because dbt is slow to start, and here it
# starts only once.
#
# **Predict:** `interval_load` has a row for each site and each completed half-hour. About how many rows is that? You
# know the number of days; the number of sites is in `dbt/seeds/sites.csv`.

# %%
my_guess = None  # for example 7 * 48 * 6
report = dbt.build(settings, unit_tests=False)
predict("05.b", my_guess, report.node("interval_load").rows)
print(f"{len(report.nodes)} nodes and {len(report.checks)} tests in {report.seconds:.1f} s; all passed: {report.ok}")

# %% [markdown]
# There may be a few more rows than you expected, because the table also contains the live events of today, and those of
# other domains if they were loaded. The next table shows the result of each node. Which node took longest? For small
# tables, parsing the statement takes longer than processing the rows.

# %%
columns = ["layer", "name", "materialized", "rows", "touched", "seconds", "tests_passed"]
table = pd.DataFrame([{name: getattr(node, name) for name in columns} for node in report.nodes])
table.set_index(["layer", "name"])

# %% [markdown]
# ## Build again, only what is new
#
# `int_kind_intervals` is an *incremental* model, and the only model that reads every event and every rollup. An event
# is either raw or in a rollup, so their sum counts each event once. The first build counts all of them. A later build
# selects the intervals that received an event since the previous build, counts these again, and merges them into the
# table by key.
#
# **Predict:** we build it a second time while the simulator keeps sending. How many of its rows are touched: `"all"`,
# `"some"` or `"none"`?

# %%
my_guess = None  # for example "all"
again = dbt.build(settings, select=["int_kind_intervals"], unit_tests=False).node("int_kind_intervals")
predict("05.c", my_guess, "none" if not again.touched else "some" if again.touched < again.rows else "all")
print(f"{again.touched:,} of {again.rows:,} rows")

# %% [markdown]
# Some: the current half-hour of each site and kind of event, and the intervals that received a late event. That is why
# the model does not simply select the events that are newer than its newest row: an event that happened at noon and
# arrives at one o'clock would never be counted. And because the model counts whole intervals again and merges them by
# key, it may run twice, or fail and run again, and the numbers stay the same.
#
# ## Which day is it there?
#
# Events, windows and intervals are in UTC. A business day is not: it begins when the clocks of the site show midnight.
#
# **Predict:** which day does 23:30 UTC on May 1 belong to in Oakland? In Berlin, in Mumbai and in Sydney?

# %%
my_guess = None  # for example ["2026-05-01", "2026-05-01", "2026-05-01", "2026-05-01"]
zones = ["America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Australia/Sydney"]
local = query(warehouse, "select zone, convert_timezone('UTC', zone, '2026-05-01 23:30'::timestamp_ntz) as shown, "
              "shown::date::varchar as day from (select column1 as zone from values (?), (?), (?), (?))", zones)
local = pd.DataFrame(local).set_index("zone").loc[zones]
predict("05.d", my_guess, local["day"].to_list())
local

# %% [markdown]
# In Oakland it is the afternoon of May 1, elsewhere it is May 2 already. With days in UTC a shop in Oakland would have
# its day cut at five in the afternoon, in its busiest hours. So `int_local_times` gives each interval the hour and the
# day of its site, and the marts keep the instant beside them. When clocks change, a day has 23 or 25 hours, and
# `daily_kpis` has the number: 4 % fewer customers on such a Sunday in March are not a trend. A test adds up each count
# over all days, and compares it with the sum over all intervals: no interval is on two days, and none is on no day.

# %%
days_of = query(warehouse, "select distinct site, business_day, day_start, hours_in_day, time_zone "
                "from MARTS.DAILY_KPIS where domain = ? order by business_day desc, site limit 8", [settings.domain])
pd.DataFrame(days_of).set_index(["site", "business_day"])

# %% [markdown]
# ## A bad row
#
# A test is a `SELECT` too: it selects rows that must not exist, and passes if there are none. The next cell inserts a
# row with a kind of event that no domain has, and builds the staging model and one of the branches that read it.
#
# **Predict:** does the build stop at the failing test, or does it continue and build the marts of that branch?

# %%
execute(warehouse, "insert into RAW.EVENTS select * replace ('lesson-1' as event_id, 'lesson' as producer_id, "
        "'order_lost' as kind, current_timestamp()::timestamp_ntz as loaded_at) "
        "from RAW.EVENTS limit 1")
branch = ["stg_events", "int_kind_intervals+"]
report = dbt.build(settings, select=branch, unit_tests=False)
print([failed.summary for failed in report.failed])

# %% [markdown]
# The failed test names the model, the column and the number of bad rows. Everything downstream of that model is not
# built:

# %%
print("not built:", ", ".join(broken.name for broken in report.broken))
print("the node of dbt in the graph:", dbt.observation(settings).reason)

# %% [markdown]
# So the marts keep yesterday's numbers, which is better than new numbers with an error. In a terminal the same run ends
# with exit code 1, so that a scheduler notices the failure. Now delete the row and build again.

# %%
execute(warehouse, "delete from RAW.EVENTS where producer_id = 'lesson'")
report = dbt.build(settings, select=branch, unit_tests=False)
assert report.ok, [failed.summary for failed in report.failed] + [broken.message for broken in report.broken]
print(f"{report.passed} tests passed, {len(report.broken)} nodes not built")

# %% [markdown]
# Such tests check data. Whether the SQL is correct is a different question, and you should not have to wait for the
# right data to find out. A *unit test* brings its own rows: a few rows of input, and the expected output. The cell
# prints and runs the unit test of `interval_load`, which is stored next to the model.

# %%
text = (models / "marts" / "interval_load.yml").read_text()
print(text[text.index("unit_tests:"):])
checks = dbt.build(settings, select=["interval_load"]).checks
[(test.name, test.status, round(test.seconds, 2)) for test in checks if test.kind == "unit_test"]

# %% [markdown]
# **Try it:** in `interval_load.sql`, in the line of `events`, replace `when kinds.is_staffed` by `when true`, so that
# every kind of event is counted. **Predict:** which sort of test fails first, and with which number? Then run
# `rtlib dbt build interval_load` in a terminal. Undo the change afterwards.
#
# <details><summary>A hint</summary>
#
# A unit test runs before its model is built. Look at its rows above: which of them has a kind that is not staffed?
#
# </details>
# <details><summary>The answer</summary>
#
# The unit test fails first, before any of your rows is touched. For site `x` it expects 2 events and gets 11, because
# the 9 events of kind `read` are counted as well. The model is not built, and its data tests do not run. They would
# have passed anyway: 11 is a valid number.
#
# </details>

# %% [markdown]
# ## Two answers to one question
#
# The stream has computed the KPIs of each minute, seconds after its end. By now all events of that minute have arrived,
# including the late ones, and dbt computes every measure again from all of them. The model
# `speed_batch_reconciliation` compares the two results, with a row for each site, window and measure.
#
# **Predict:** do most of them agree?

# %%
counted = query(warehouse, "select explanation, measure, count(*) as windows, max(abs(difference)) as max_difference "
                "from MARTS.SPEED_BATCH_RECONCILIATION where domain = ? group by 1, 2", [settings.domain])
columns = ["explanation", "measure", "windows", "max_difference"]
pd.DataFrame(counted, columns=columns).set_index(["explanation", "measure"]).sort_index()

# %% [markdown]
# Most do. There are exactly three accepted reasons for a difference:
#
# - *late*: an event was behind the watermark when the stream read it. The stream must delete old windows, or its state
#   would grow without limit; so it drops such an event. The archive keeps it.
# - *in flight*: an event is still on its way to one of the two layers. Offsets decide: the stream has not reported the
#   batch that reads it, or the stream may have counted it before the archive read it.
# - *open window*: later events may still belong to the window. This reason and *in flight* are accepted only until
#   about ten minutes of later events have arrived.
#
# After that, a window that is missing in one layer is *not measured*, and any other difference is *unexplained*. Both
# fail a test, and with it the build. How can dbt know that a mean differs because of a late event? Each micro-batch of
# the stream reports which offsets it read and where its watermark was, and the loader stores that in `SPEED.BATCHES`.
# So dbt finds the batch that read an event. It computes the mean both with all events and without the events that their
# batch dropped; the stream's value must lie between the two. These are some windows with dropped events:

# %%
late = query(warehouse, "select site, window_start, measure, speed_value, batch_value, difference "
             "from MARTS.SPEED_BATCH_RECONCILIATION where domain = ? and explanation = 'late' "
             "order by window_start desc, site, measure limit 12", [settings.domain])
columns = ["site", "window_start", "measure", "speed_value", "batch_value", "difference"]
pd.DataFrame(late, columns=columns).set_index(["site", "window_start", "measure"])

# %% [markdown]
# If the table is empty, no event has been that late yet; wait a few minutes, build again, and run the cell again. Which
# of the two numbers would you show on a live dashboard, and which in a report that determines a person's pay?
#
# ## The same with the dbt command
#
# None of this is specific to notebooks. `eval "$(rtlib dbt env)"` in a terminal configures the standard `dbt` command;
# then `dbt build --select +interval_load` does what you have seen. With a Snowflake account in `.env.local`, the same
# models run there: all differences between the two warehouses are in `dbt/macros/local_warehouse.sql`. Finally, dbt
# also reports the age of the sources:

# %%
warehouse.close()
[(reading.name, round(reading.value or 0), reading.unit) for reading in dbt.source_readings(settings)]

# %% [markdown]
# ## Your turn
#
# Four exercises on what you have seen. Replace the blanks, and run the cell: `check` says whether your answer is right
# and, if it is not, which belief it shows. A cell that you leave as it is counts as not answered yet. A model or a test
# is the text of its file. `check` builds it in a scratch warehouse, several times if it is incremental.

# %%
from rtlib.lessons import check, given, hint, solution

# %% [markdown] exercise="05.1"
# ### Exercise 05.1: a mean from rollups
#
# `rollups` has a row for each site and half-hour, with `values_counted` and `value_sum`. Complete the query, so that it
# returns for each site the mean over all *values*. In a half-hour without a value the sum is NULL.
#
# *About 4 minutes (complete a line). Help: `hint("05.1")`, and after a try `solution("05.1")`.*

# %% exercise="05.1"
### BEGIN SOLUTION
mean_sql = '''
select site, sum(value_sum) / sum(values_counted) as mean_value from rollups group by site
'''
### END SOLUTION
check("05.1", mean_sql)


# %% [markdown] exercise="05.2"
# ### Exercise 05.2: a test that finds bad rows
#
# Write a dbt test for the model `stg_events` (event_id, kind, loaded_at): the kind of an event is `arrived` or
# `served`, in lower case, and never missing. A test is a SELECT of the rows that must not exist; let it return their
# `event_id`. `check` builds it on a good table and on a bad one.
#
# *About 6 minutes (write your own). Help: `hint("05.2")`, and after a try `solution("05.2")`.*

# %% exercise="05.2"
### BEGIN SOLUTION
kind_test = '''
select event_id from {{ ref('stg_events') }} where kind is null or kind not in ('arrived', 'served')
'''
### END SOLUTION
check("05.2", kind_test)


# %% [markdown] exercise="05.3"
# ### Exercise 05.3: count again only what is new
#
# The model counts the events of each site and hour, and is merged by these two. Complete it: the first build counts
# everything; a later one counts again the *whole* hours that received an event since the last build, and touches no
# other. An event can arrive hours late; `loaded_at` says when it arrived. `check` builds the model three times.
#
# *About 12 minutes (write your own). Help: `hint("05.3")`, and after a try `solution("05.3")`.*

# %% exercise="05.3"
### BEGIN SOLUTION
hours_sql = '''
select site, date_trunc('hour', occurred_at) as hour_start, count(*) as events, max(loaded_at) as loaded_at
from {{ ref('stg_events') }}
{% if is_incremental() %}
where (site, date_trunc('hour', occurred_at)) in (
    select site, date_trunc('hour', occurred_at) from {{ ref('stg_events') }}
    where loaded_at > (select max(loaded_at) from {{ this }}))
{% endif %} group by 1, 2
'''
### END SOLUTION
check("05.3", hours_sql)


# %% [markdown] exercise="05.4"
# ### Exercise 05.4: late, or unexplained?
#
# Lesson 02 and this one together: `windows` has for each minute the count of the stream (`speed_events`), the count of
# all events (`batch_events`), and how many events the watermark dropped (`dropped_late`). Return `window_start` and
# `explanation`: `equal`; `late` if exactly the dropped events explain the difference; otherwise `unexplained`.
#
# *About 8 minutes (join two lessons). Help: `hint("05.4")`, and after a try `solution("05.4")`.*

# %% exercise="05.4"
### BEGIN SOLUTION
explained_sql = '''
select window_start, case when speed_events = batch_events then 'equal'
    when batch_events - speed_events = dropped_late then 'late'
    else 'unexplained' end as explanation from windows
'''
### END SOLUTION
check("05.4", explained_sql)


# %% [markdown]
# You have learned
#
# - what a model is, and how dbt determines the build order
# - why the cost of an incremental model depends on the new data, not on all of it
# - how a test finds a bad row before a report shows it
# - why the speed layer and the batch layer differ, measure by measure
# - why old events are kept as counts, and which questions that leaves without an answer
#
# Next: `06_forecasts`, which forecasts the counts of `interval_load`.
