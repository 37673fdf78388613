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
# # 06 Forecasts: which model, and how certain is it?
#
# You will learn
#
# - how to test fairly which model forecasts best
# - how good a simple forecast is, and what beats it
# - how certain a forecast is, and how to check that
# - why no model is the best for every series
#
# This lesson needs no running stack. It uses the calls to a bank, real data from a Python package, and the simulated
# load of a domain. It takes about half an hour.

# %% [markdown]
# The parameters of this lesson: the domain of the second half (by default the domain of your stack), the length of an
# interval, the number of days in the backtest, and the number of parallel processes. Leave them unchanged for now.

# %% tags=["parameters"]
domain_name = None  # for example "iot"
interval_minutes = 30
backtest_days = 25
workers = 2

# %% [markdown]
# Papermill can run the lesson with other values, for example `papermill 06_forecasts.ipynb done.ipynb -p domain_name
# iot`. `parameters` validates them. `predict` prints a result next to your guess.

# %%
from rtlib.lessons import parameters, predict

domain_name, interval_minutes, backtest_days, workers = parameters(
    "06_forecasts", domain_name=domain_name, interval_minutes=interval_minutes, backtest_days=backtest_days,
    workers=workers)

# %% [markdown]
# ## Look at the data first
#
# A bank counted its calls every five minutes, on weekdays from seven in the morning to nine in the evening, from March
# to October 2003. The lesson adds them up to half-hours. All models here read a *grid*: a row for each day, a column
# for each interval of the day. Days on which the bank was closed are left out.

# %%
from rtlib.forecast import charts
from rtlib.forecast.bank import bank_grid

calls = bank_grid(interval_minutes=interval_minutes)
print(f"{len(calls.days)} days of {len(calls.slots)} intervals, from {calls.days[0]} to {calls.days[-1]}")
assert (calls.values.sum(axis=1) > 0).all(), "leave closed days out: they would teach the models that nobody calls"
charts.days_chart(calls)

# %% [markdown]
# Take your time with this chart. The number of calls rises steeply in the morning and falls slowly in the evening. The
# stripes appear because some weekdays are busier than others. A few rows are brighter than their neighbours.
#
# **Predict:** which weekday is the busiest? Monday is 0, Friday is 4.

# %%
import pandas as pd

my_guess = None  # for example 4
totals = pd.Series(calls.values.sum(axis=1), index=pd.DatetimeIndex(calls.days))
predict("06.a", my_guess, int(totals.groupby(totals.index.dayofweek).mean().idxmax()))
totals.nlargest(5).rename("calls").to_frame().assign(weekday=lambda day: day.index.day_name())

# %% [markdown]
# A day after a holiday has more calls. Look up the brightest days in a calendar of 2003, and check the day before each
# of them. A model can use this, because holidays are known in advance.
#
# ## A fair test
#
# A model that has seen the answers is easily impressive. In a fair test, each model gets only the data up to some
# evening and forecasts the next day. Then it gets one more day and forecasts the day after, and so on. That is a
# *backtest* with a *rolling origin*. These are the models:

# %%
from rtlib.forecast import MODELS, forecast_all

pd.Series({model.name: model.plain for model in MODELS}, name="method").to_frame()

# %% [markdown]
# The first two need no more than a spreadsheet. They are the baseline: a model that cannot beat them is not worth its
# cost. The backtest adds an *ensemble*: the mean of the three models that had the smallest errors so far.
#
# **Predict:** which model wins? And is last week better or worse than the mean of four weeks? The cell takes about ten
# seconds, because each model is fitted again at each origin.

# %%
my_guess = None  # for example "Prophet"

def notify(done, tasks, what):
    print(f"\r{done} of {tasks}: {what:40}", end="" if done < tasks else "\n")

(outlook,) = forecast_all([calls], origins=backtest_days, workers=workers, notify=notify)
predict("06.b", my_guess, outlook.champion)
charts.scores_chart(outlook)

# %% [markdown]
# The champion is chosen by these errors alone, and the choice can be explained in a sentence. One detail is not quite
# fair: the champion is scored on the same days that were used to choose it, so its own score is slightly too good. In a
# terminal, `rtlib bench forecast` chooses on some days and scores on later ones.

# %%
print(outlook.why)
best, simple = (outlook.scores[name] for name in (outlook.champion, "seasonal naive"))
assert best.mae <= simple.mae, "a champion must be at least as good as last week"

# %% [markdown]
# A single number is not enough to judge a model. *WAPE* is the sum of all errors as a share of all calls. *MASE*
# compares the error with the error of repeating last week; below 1 is better than that. (The yardstick is last week's
# error within the earlier history, so on the days of the backtest repeating last week need not be exactly 1.) *Bias*
# says whether the model forecasts too much or too little overall, which costs more than errors that cancel out. The
# *pinball loss* also scores the intervals.

# %%
columns = ["mae", "wape", "mase", "bias", "coverage_80", "pinball"]
rows = {name: [getattr(score, column) for column in columns] for name, score in outlook.scores.items()}
table = pd.DataFrame(rows, index=columns).T
table.round(3).sort_values("mae")

# %% [markdown]
# ## How certain is it?
#
# A forecast is a single number, and the real value will differ. So we also want an interval. The usual formulas assume
# normal and independent errors, which these are not. The method used here assumes neither: it takes the errors of the
# same model on earlier days, and uses the middle eighty per cent of them. Such an interval is called *conformal*.
#
# **Predict:** out of a hundred half-hours, how many fall within the 80 % interval?

# %%
my_guess = None  # for example 80
predict("06.c", my_guess, round(100 * best.coverage_80))
assert 0.65 <= best.coverage_80 <= 0.95, "the coverage of an 80 % interval must be close to 80 %"

# %% [markdown]
# If the number is close to 80, the interval is reliable. With 95 the interval would be too wide to be useful; with 60
# it would give you false confidence. Now look at single days. Choose a day and a model:

# %%
import ipywidgets as widgets
import plotly.graph_objects as go

day = widgets.IntSlider(backtest_days - 1, 0, backtest_days - 1, description="day", continuous_update=False)
model = widgets.Dropdown(options=list(outlook.scores), value=outlook.champion, description="model")

# %% [markdown]
# The chart follows your choice. Where is the model wrong? Is the real value still within the blue interval?

# %%
picture = go.FigureWidget(charts.backtest_chart(outlook, model.value, day.value))

def redraw(_):
    picture.update(charts.backtest_chart(outlook, model.value, day.value).to_dict(), overwrite=True)

for control in (model, day):
    control.observe(redraw, names="value")
widgets.VBox([widgets.HBox([model, day]), picture])

# %% [markdown]
# Moving the slider computes nothing: the backtest has stored all forecasts. The first days have no interval, because
# there were no earlier errors to derive it from.
#
# ## The same for a domain
#
# The load of a domain is the events that call for a person: a customer who has arrived, for instance, or a sensor that
# reports a fault. In the running stack dbt counts it in the mart `interval_load` (lesson 05), and
# `rtlib staffing forecast` in a terminal reads that mart, then makes and stores what you see below. Here we draw four
# weeks of it, from the same law of demand from which the simulator draws live events and history. Each site follows
# its own clock and the holidays of its country. The counts are stored with times in UTC, in which the evening of a shop
# in California is the early morning of the next day.

# %%
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rtlib.config import load_settings
from rtlib.domains import load_domain
from rtlib.pipeline.planning.demand import series_of
from rtlib.simulator.interval_counts import simulated_load

domain = load_domain(domain_name or load_settings().domain)
midnight = datetime(2026, 3, 2, tzinfo=ZoneInfo(domain.time_zone))
counts = simulated_load(domain, seed=7, until=midnight, days=28, per_day=200_000)

# %% [markdown]
# Each site is a series in its own time zone, with the days and hours of its own clock; `all` is their sum. Where sites
# are on several continents, their days begin at different moments, so the totals differ by the hours at both ends.

# %%
sites = series_of(counts, domain)
total = {series.unique_id: series.values.sum() for series in sites}
parts = sum(total.values()) - total["all"]
assert abs(total["all"] / parts - 1) < 0.05, "the series of all sites must be the sum of the sites"
print(f"{domain.title}: {len(domain.sites)} sites, {total['all']:,.0f} events in {len(sites[0].days)} days")

# %% [markdown]
# A model sees days of 48 half-hours. The clocks of a place do not always agree.
#
# **Predict:** how many half-hours has March 29, 2026 in Berlin? And October 25?

# %%
from datetime import date

from rtlib.forecast.instants import instants


def half_hours(day):
    return instants([day], range(0, 1440, 30), interval_minutes=30, time_zone="Europe/Berlin").moments

my_guess = None  # for example (48, 48)
predict("06.d", my_guess, (len(half_hours(date(2026, 3, 29))), len(half_hours(date(2026, 10, 25)))))

# %% [markdown]
# The half-hours from 2:00 to 3:00 do not exist on the first day, which has 23 hours. On the other they exist twice, and
# the instant in UTC tells them apart. So a forecast has no value for a time that no clock shows, and two values for a
# time that is shown twice.

# %% [markdown]
# **Predict:** does the same model win at every site? How many different champions are there? This time the models
# forecast a whole week, which takes about a minute.

# %%
my_guess = None  # for example 1
results = forecast_all(sites, horizon=7, origins=4, step=2, workers=workers, notify=notify)
predict("06.e", my_guess, len({result.champion for result in results}))
champions = {result.grid.unique_id: (result.champion, result.scores[result.champion].wape) for result in results}
pd.DataFrame(champions, index=["champion", "WAPE"]).T

# %% [markdown]
# All sites follow the same law, each by its own clock, with different random draws. So part of the difference between
# the champions is luck, and with four origins there is a lot of luck. That is a good reason to use an ensemble, and to
# choose again every day. It is also why this project does not define a best model once and for all: the series decides.
#
# The last chart shows the coming week for a site of your choice.

# %%
by_site = {result.grid.unique_id: result for result in results}
site = widgets.Dropdown(options=list(by_site), description="site")
week = go.FigureWidget(charts.future_chart(by_site[site.value]))

def show_site(change):
    week.update(charts.future_chart(by_site[change.new]).to_dict(), overwrite=True)

site.observe(show_site, names="value")
widgets.VBox([site, week])

# %% [markdown]
# ## Did it hold?
#
# The week is over, and what came is known: the simulator draws it from the same demand as the weeks before. A forecast
# with an honest 80 % interval is wrong in a fifth of the half-hours, and nobody knows in which.
#
# **Predict:** in what share of the half-hours of the first day did the load of all sites lie inside the interval?

# %%
my_guess = None  # for example 0.8
came = simulated_load(domain, seed=7, until=midnight + timedelta(days=1), days=1, per_day=200_000)
actual = pd.DataFrame(came).groupby("interval_start")["events"].sum().tz_localize("UTC")
forecast = by_site["all"].table().query("is_champion").assign(ds=lambda rows: pd.to_datetime(rows["ds"], utc=True))
day_one = forecast.set_index("ds").join(actual, how="inner")
inside = day_one["events"].between(day_one["q10"], day_one["q90"])
predict("06.f", my_guess, round(inside.mean(), 2))
print(f"{day_one['events'].sum():,.0f} events came, {day_one['mean'].sum():,.0f} were forecast")

# %% [markdown]
# With 48 half-hours, a share between 0.7 and 0.9 is what luck alone allows. A share far below means that the level of
# the whole day was off: the errors of a day are alike, so they do not cancel out. The running stack makes this
# comparison all day long: the Plan page of the app shows the load beside its forecast up to this minute, the node of
# the forecast the share of today, and the alert rule `above-forecast` raises an alert when the last ten minutes exceed
# the interval by far.
#
# **Try it:** what happens if the level of a series doubles overnight, because a competitor has closed? Double the last
# eight days, from February 22:
#
# ```python
# edge = datetime(2026, 2, 22)
# changed = [row | {"events": row["events"] * (2 if row["interval_start"] >= edge else 1)} for row in counts]
# doubled = [series for series in series_of(changed, domain) if series.unique_id == "all"]
# (outlook,) = forecast_all(doubled, origins=8, workers=workers)
# day.max = 7
# ```
#
# Then run the cell with the chart and the slider again: it shows these eight days. **Predict:** which model adapts
# first, and which adapts last?
#
# <details><summary>A hint</summary>
#
# For each model, ask how many days of history it uses, and whether a day of last week has more weight than a day of
# last month.
#
# </details>
# <details><summary>The answer</summary>
#
# On the first day every model forecasts half of the real load, because nothing announced the change. *Prophet* adapts
# first, on about the third day, and then overshoots: it mistakes the step for a trend. *ETS*, *ARIMA* and the
# *regression* follow within the week. *Last week* is off by half for exactly seven days, and then correct. The
# *four-week mean* is last: after a week it reflects a quarter of the change. In most domains the ensemble has the
# smallest error overall, because it selects its members anew each day.
#
# </details>

# %% [markdown]
# ## Your turn
#
# Five exercises on what you have seen. Replace the blanks, and run the cell: `check` says whether your answer is right
# and, if it is not, which belief it shows. A cell that you leave as it is counts as not answered yet. A forecast is
# scored by a backtest, in which your function sees the past alone.

# %%
import numpy as np

from rtlib.lessons import check, given, hint, solution

# %% [markdown] exercise="06.1"
# ### Exercise 06.1: the same day of last week
#
# `history` has a row for each day, the newest last, and 24 columns. Complete the line: the forecast of the next day is
# the same weekday of last week. `check` runs a backtest over two weeks, in which your function sees the past alone.
#
# *About 3 minutes (complete a line). Help: `hint("06.1")`, and after a try `solution("06.1")`.*

# %% exercise="06.1"
### BEGIN SOLUTION
def last_week(history):
    return history[-7]
### END SOLUTION
check("06.1", last_week)


# %% [markdown] exercise="06.2"
# ### Exercise 06.2: beat last week
#
# A single day of last week is noisy: it may have been busy by chance. Write a forecast from *several* such days. Your
# error in the backtest may be at most that of the mean over the last four weeks.
#
# *About 6 minutes (write your own). Help: `hint("06.2")`, and after a try `solution("06.2")`.*

# %% exercise="06.2"
### BEGIN SOLUTION
def four_weeks(history):
    return history[[-7, -14, -21, -28]].mean(axis=0)
### END SOLUTION
check("06.2", four_weeks)


# %% [markdown] exercise="06.3"
# ### Exercise 06.3: an interval from errors
#
# `errors` holds the errors of a model on earlier days, *truth minus forecast*. Return the bounds of an 80 % interval
# for a new forecast, in which the middle eighty per cent of these errors would fall. Do not assume that they are
# normal: here large errors are more often above than below.
#
# *About 7 minutes (write your own). Help: `hint("06.3")`, and after a try `solution("06.3")`.*

# %% exercise="06.3"
### BEGIN SOLUTION
def interval(forecast, errors):
    low, high = np.quantile(errors, [0.1, 0.9])
    return forecast + low, forecast + high
### END SOLUTION
check("06.3", interval)


# %% [markdown] exercise="06.4"
# ### Exercise 06.4: a score in SQL
#
# Lesson 05 and this one together: `scored` has for each site and half-hour the real `events` and the `forecast`. Return
# for each site its WAPE: the sum of all absolute errors as a share of all events. In some half-hours there is no event.
#
# *About 6 minutes (join two lessons). Help: `hint("06.4")`, and after a try `solution("06.4")`.*

# %% exercise="06.4"
### BEGIN SOLUTION
wape_sql = '''
select site, sum(abs(events - forecast)) / sum(events) as wape from scored group by site
'''
### END SOLUTION
check("06.4", wape_sql)


# %% [markdown] exercise="06.5"
# ### Exercise 06.5: a fair test in order
#
# Put the steps of a backtest in order. One of them does not belong to it.
#
# - **A** forecast the next day
# - **B** fit the model on all days up to an evening
# - **C** compare with what happened, and keep the error
# - **D** move the evening forward by a day, and begin again
# - **E** fit the model on all days that there are
# - **F** take the mean of the errors
#
# Answer with the letters.
#
# *About 3 minutes (put in order). Help: `hint("06.5")`, and after a try `solution("06.5")`.*

# %% exercise="06.5"
### BEGIN SOLUTION
backtest = "BACDF"
### END SOLUTION
check("06.5", backtest)


# %% [markdown]
# You have learned
#
# - how to test fairly which model forecasts best
# - how good a simple forecast is, and what beats it
# - how certain a forecast is, and how to check that
# - why no model is the best for every series
#
# Next: `07_staffing`, where a forecast becomes a number of people, and an error becomes money.
