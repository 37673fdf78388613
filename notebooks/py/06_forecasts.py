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
# # 06 Forecasts: which model, and how sure is it?
#
# You will learn
#
# - how to ask fairly which model forecasts best
# - what a simple forecast can do, and what beats it
# - how sure a forecast is, and how one finds out
# - why no model is the best for every series
#
# This lesson needs no running stack: it reads real calls to a bank that come with a Python package, and it draws the
# load of our own domains on the spot. It takes half an hour or so.

# %% [markdown]
# What you may change: whose load is forecast in the second half (without a name it is the domain that your stack runs),
# how long an interval is, how many days the models are asked about, and how many processes work side by side. Leave it
# as it is for now.

# %% tags=["parameters"]
domain_name = None  # for instance "iot"
interval_minutes = 30
asked_days = 25
workers = 2

# %% [markdown]
# Papermill runs a lesson with other values, as in `papermill 06_forecasts.ipynb done.ipynb -p domain_name iot`. The
# next line checks them, so that a value that cannot work is refused here and not somewhere in the middle.

# %%
from rtlib.lessons import check

domain_name, interval_minutes, asked_days, workers = check(
    "06_forecasts", domain_name=domain_name, interval_minutes=interval_minutes, asked_days=asked_days, workers=workers
)

# %% [markdown]
# As before, predict before you run a cell: replace `None` by your guess.

# %%
def compare(guess, truth):
    verdict = "no guess yet" if guess is None else "as you said" if guess == truth else f"you said {guess!r}"
    print(f"{truth!r} ({verdict})")

# %% [markdown]
# ## Look first
#
# A bank counted its calls every five minutes, on weekdays from seven in the morning to nine in the evening, from
# March to October 2003. We add them up to half-hours. A *grid* is what every model here reads: a row for each day, a
# column for each slot of the day. Days on which the bank was closed are not in it.

# %%
from rtlib.forecast import charts
from rtlib.forecast.bank import bank_grid

calls = bank_grid(interval_minutes=interval_minutes)
print(f"{len(calls.days)} days of {len(calls.slots)} intervals, from {calls.days[0]} to {calls.days[-1]}")
assert (calls.values.sum(axis=1) > 0).all(), "a closed day would teach the models that nobody calls: leave it out"
charts.days_chart(calls)

# %% [markdown]
# Take your time with this picture. The mornings rise steeply and the evenings fade. There are stripes, because one
# weekday is busier than the others, and a few rows are brighter than their neighbours. **Predict:** which weekday is
# the busiest? Monday is 0, Friday is 4.

# %%
import pandas as pd

my_guess = None  # for instance 4
totals = pd.Series(calls.values.sum(axis=1), index=pd.DatetimeIndex(calls.days))
compare(my_guess, int(totals.groupby(totals.index.dayofweek).mean().idxmax()))
totals.nlargest(5).rename("calls").to_frame().assign(weekday=lambda day: day.index.day_name())

# %% [markdown]
# Who was closed has work to catch up on: look up the brightest days in a calendar of 2003, and see what the day
# before was. A model can know that, because holidays are known before they come.
#
# ## A fair question
#
# A model that has seen the answers is easy to admire. So each model goes back to an earlier evening, knows nothing
# that came later, and says what the next day will bring. Then it is asked again one day later, and so on. That is a
# *backtest* with a *rolling origin*. Here are those who take part:

# %%
from rtlib.forecast import MODELS, forecast_all

pd.Series({model.name: model.plain for model in MODELS}, name="what it does").to_frame()

# %% [markdown]
# The first two need no more than a spreadsheet, and they are there for that reason: whoever cannot beat them is not
# worth the trouble. To these we add an *ensemble*, which takes the mean of the three that did best until then.
#
# **Predict:** which one wins? And is last week better than the mean of four weeks, or worse? It takes ten seconds or
# so, because each of them learns anew at each origin.

# %%
my_guess = None  # for instance "Prophet"

def notify(done, tasks, what):
    print(f"\r{done} of {tasks}: {what:40}", end="" if done < tasks else "\n")

(outlook,) = forecast_all([calls], origins=asked_days, workers=workers, notify=notify)
compare(my_guess, outlook.champion)
charts.scores_chart(outlook)

# %% [markdown]
# The choice is made by these numbers and by nothing else, and it can be said in words. One thing is not quite fair: the
# champion is scored on the very days that chose it, so its own score is a little too good. `rtlib bench forecast` in a
# terminal chooses on some days and scores on later ones.

# %%
print(outlook.why)
best, simple = (outlook.scores[name] for name in (outlook.champion, "seasonal naive"))
assert best.mae <= simple.mae, "whoever cannot beat last week is not worth the trouble"

# %% [markdown]
# One number is not enough to judge a model by. *WAPE* is all errors together as a share of all calls. *MASE* compares
# the error with that of repeating last week: below 1 is better than that. The yardstick is last week's error within the
# history before, so on other days repeating last week need not be exactly 1. *Bias* says whether it forecasts too much
# or too little on the whole, which costs more than errors that cancel out. The *pinball loss* also judges the
# intervals.

# %%
columns = ["mae", "wape", "mase", "bias", "coverage_80", "pinball"]
rows = {name: [getattr(score, one) for one in columns] for name, score in outlook.scores.items()}
table = pd.DataFrame(rows, index=columns).T
table.round(3).sort_values("mae")

# %% [markdown]
# ## How sure is it?
#
# A forecast is a number, and the truth will be another one. So we want an interval as well. The usual formulas assume
# that errors are normal and independent, and they are neither. Here we do not assume anything: we look at how wrong
# the same model was on the days before, and take the middle eighty per cent of those errors. An interval made like
# that is called *conformal*.
#
# **Predict:** of a hundred half-hours, how many are within the 80 % interval?

# %%
my_guess = None  # for instance 80
compare(my_guess, round(100 * best.coverage_80))
assert 0.65 <= best.coverage_80 <= 0.95, "an 80 % interval that holds far more or less than that is a broken promise"

# %% [markdown]
# If that is near 80, the interval keeps its promise. If it were 95, it would be too wide to be of use; at 60 it would
# lull you. Now look at single days. There is something to choose with, a day and a model:

# %%
import ipywidgets as widgets
import plotly.graph_objects as go

day = widgets.IntSlider(asked_days - 1, 0, asked_days - 1, description="day", continuous_update=False)
model = widgets.Dropdown(options=list(outlook.scores), value=outlook.champion, description="model")

# %% [markdown]
# And a picture that follows. Where is the model wrong, and is the truth then still in the blue?

# %%
picture = go.FigureWidget(charts.backtest_chart(outlook, model.value, day.value))

def follow(_):
    picture.update(charts.backtest_chart(outlook, model.value, day.value).to_dict(), overwrite=True)

for control in (model, day):
    control.observe(follow, names="value")
widgets.VBox([widgets.HBox([model, day]), picture])

# %% [markdown]
# Nothing is computed again when you move the slider: the backtest remembers what everybody said. On the first days
# there is no interval, because nobody had made an error yet from which one could be read.
#
# ## The same for our own domain
#
# The load of a domain is the events that call for a person: a customer who has arrived, for instance, or a sensor that
# reports a fault. In the running stack dbt counts it in the mart `interval_load` (lesson 05), and
# `rtlib staffing forecast` in a terminal reads that mart, then makes and stores what you see below. Here we draw four
# weeks of it, from the same distributions from which the simulator draws events.

# %%
from datetime import UTC, datetime

from rtlib.config import load_settings
from rtlib.domains import load_domain
from rtlib.pipeline.planning.demand import series_of
from rtlib.simulator.interval_counts import simulated_load

domain = load_domain(domain_name or load_settings().domain)
counts = simulated_load(domain, seed=7, until=datetime(2026, 3, 2, tzinfo=UTC), days=28, per_day=200_000)

# %% [markdown]
# Each site is a series, and `all` is their sum.

# %%
sites = series_of(counts, domain)
total = {one.unique_id: one.values.sum() for one in sites}
assert total["all"] == sum(total.values()) / 2, "what all sites had must be what each of them had, together"
print(f"{domain.title}: {len(domain.sites)} sites, {total['all']:,.0f} events in {len(sites[0].days)} days")

# %% [markdown]
# **Predict:** does the same model win at every site? How many different champions are there? This time a whole week is
# forecast, and it takes a minute or so.

# %%
my_guess = None  # for instance 1
ahead = forecast_all(sites, horizon=7, origins=4, step=2, workers=workers, notify=notify)
compare(my_guess, len({one.champion for one in ahead}))
won = {one.grid.unique_id: (one.champion, one.scores[one.champion].wape) for one in ahead}
pd.DataFrame(won, index=["champion", "missed"]).T

# %% [markdown]
# The sites follow the same law, with other chances. So part of what separates the champions is luck, and with four
# origins there is a lot of luck. That is a good reason to hold an ensemble in esteem, and to choose again every day.
# It is also why we do not name a best model once and for all: the series decides, not the name.
#
# Here is the week to come for a site of your choice.

# %%
by_name = {one.grid.unique_id: one for one in ahead}
site = widgets.Dropdown(options=list(by_name), description="site")
week = go.FigureWidget(charts.future_chart(by_name[site.value]))

def turn(change):
    week.update(charts.future_chart(by_name[change.new]).to_dict(), overwrite=True)

site.observe(turn, names="value")
widgets.VBox([site, week])

# %% [markdown]
# **Try it:** what happens to a series whose level doubles overnight, because a competitor has given up? Double the last
# eight days, from the 22nd of February on:
#
# ```python
# edge = datetime(2026, 2, 22)
# twice = [row | {"events": row["events"] * (2 if row["interval_start"] >= edge else 1)} for row in counts]
# doubled = [one for one in series_of(twice, domain) if one.unique_id == "all"]
# (outlook,) = forecast_all(doubled, origins=8, workers=workers)
# day.max = 7
# ```
#
# Then run the cell with the picture and the slider again: its eight days are those eight. **Predict** first: who
# notices soonest, and who notices last?
#
# <details><summary>A hint</summary>
#
# Ask of each model how many days it looks at, and whether a day of last week weighs as much as one of last month.
#
# </details>
# <details><summary>The answer</summary>
#
# On the first day everybody forecasts half, for nobody could know. *Prophet* notices soonest, on the third day or so,
# and then overshoots: it takes the step for a trend. *ETS*, *ARIMA* and the *regression* follow within the week. *Last
# week* is off by half for exactly seven days, and then right. The *four-week mean* is last: after a week it has taken
# in a quarter of the change. The ensemble does best overall in most domains, because it asks anew whom to believe.
#
# </details>

# %% [markdown]
# You have learned
#
# - how to ask fairly which model forecasts best
# - what a simple forecast can do, and what beats it
# - how sure a forecast is, and how one finds out
# - why no model is the best for every series
#
# Next: `07_staffing`, where a forecast turns into people, and errors into money.
