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
# # 07 Staffing: what it costs to be wrong
#
# You will learn
#
# - how many people a number of contacts needs, and why it is more than the work they bring
# - why large teams are cheaper than many small ones
# - for which quantile of a forecast one should plan
# - how a solver turns needs into shifts, and what a good forecast is worth
#
# This lesson needs no running stack. It takes half an hour or so.

# %% [markdown]
# What you may change: the domain (without a name it is the one that your stack runs), how busy it is, and the seed of
# its simulated load. Leave it as it is for now.

# %% tags=["parameters"]
domain_name = None  # for instance "iot"
per_day = 200_000
seed = 7

# %% [markdown]
# Papermill runs a lesson with other values, as in `papermill 07_staffing.ipynb done.ipynb -p domain_name iot`. The next
# line checks them, so that a value that cannot work is refused here and not somewhere in the middle.

# %%
from rtlib.lessons import check

domain_name, per_day, seed = check("07_staffing", domain_name=domain_name, per_day=per_day, seed=seed)

# %% [markdown]
# As before, predict before you run a cell: replace `None` by your guess.

# %%
def compare(guess, truth):
    verdict = "no guess yet" if guess is None else "as you said" if guess == truth else f"you said {guess!r}"
    print(f"{truth!r} ({verdict})")

# %% [markdown]
# ## From contacts to people
#
# A hundred people call in half an hour, and each call takes three minutes. That is 300 minutes of work in 30 minutes:
# ten people would be busy without a pause. Such a load is called 10 *Erlangs*, after the engineer who worked out in
# 1917 what follows.
#
# We promise to answer eight calls out of ten within twenty seconds. **Predict:** how many people does that take? In a
# terminal the same question is `rtlib staffing erlang --calls 100 --aht 180`.

# %%
from rtlib.staffing import agents_needed, offered_load

my_guess = None  # for instance 11
load = offered_load(100, interval_minutes=30, aht_seconds=180)
told = agents_needed(load, aht_seconds=180, target=0.8, within_seconds=20)
compare(my_guess, told.agents)
assert told.agents > load, "with no more people than work the line never gets shorter: a plan must be above the load"
told

# %% [markdown]
# Ten would never do: calls come in bunches, and what was not done in a quiet minute cannot be made up for. With ten,
# the line would grow without end. The picture shows what each further agent adds.

# %%
from rtlib.staffing import charts

charts.service_chart(load, aht_seconds=180, within_seconds=20, target=0.8)

# %% [markdown]
# Between eleven and fourteen agents almost everything happens: one more or one less is the difference between a good
# day and a bad one. That steepness is why forecasts matter. Beyond sixteen there is hardly anything left to gain.
#
# ## Large teams are cheap
#
# Now ten times as many calls come in. **Predict:** do they need ten times as many people?

# %%
my_guess = None  # for instance 140
large = agents_needed(10 * load, aht_seconds=180, target=0.8, within_seconds=20)
compare(my_guess, large.agents)
assert large.agents < 10 * told.agents, "in a large team one person's pause is another one's bunch: it needs fewer"
print(f"each of them is busy {large.occupancy:.0%} of the time; in the small team it was {told.occupancy:.0%}")

# %% [markdown]
# Chance evens out in a large team. So people who serve all sites together (chat, telephone) are needed in smaller
# numbers than people who each stand at one site (somebody who carries orders to waiting cars, for example). Each domain
# says which of the two it has: `pooled`.
#
# Erlang's formula takes it that nobody hangs up. With people who give up after five minutes or so, fewer agents keep
# the promise, at the price of those who are lost. **Predict:** which share of the calls is lost?

# %%
from rtlib.staffing import agents_needed_a

my_guess = None  # for instance 0.1
patient = agents_needed_a(load, aht_seconds=180, target=0.8, within_seconds=20, patience_seconds=300)
compare(my_guess, round(patient.abandoned, 3))
print(f"{patient.agents} agents instead of {told.agents}")

# %% [markdown]
# ## A forecast to plan for
#
# We draw four weeks of a domain's load, by the law by which the simulator makes events, forecast the next day for its
# busiest site (or for all sites together, where people are pooled), and keep all quantiles of that forecast.

# %%
from datetime import UTC, datetime

from rtlib.config import load_settings
from rtlib.domains import load_domain
from rtlib.forecast import LEVELS, forecast_all
from rtlib.pipeline.planning.demand import series_of
from rtlib.simulator.interval_counts import simulated_load

domain = load_domain(domain_name or load_settings().domain)
role = domain.staffing
counts = simulated_load(domain, seed=seed, until=datetime(2026, 3, 2, tzinfo=UTC), days=29, per_day=per_day)

# %% [markdown]
# The last of these days is kept aside: it is the one we plan for, and only at the very end do we look at what it
# brought.

# %%
sites = series_of(counts, domain)
whole = [one for one in sites if (one.unique_id == "all") == role.pooled]
busiest = max(whole, key=lambda one: one.values.sum())
(outlook,) = forecast_all([busiest.until(28)], origins=10)
print(f"{role.title} at {busiest.unique_id}, {outlook.days[0]:%A}. {outlook.why}")

# %% [markdown]
# ## For which quantile?
#
# If you plan for the mean, you are short on about every second day. Is that bad? It depends on what it costs. An hour
# too many costs a wage. An hour too few costs customers: the domain says how much. One more person is worth it as
# long as the chance that they are missing, times what that costs, is larger than the chance that they are idle, times
# what *that* costs. So the quantile to plan for is *too few / (too few + too many)*. Sellers of newspapers have the
# same problem every morning, which is why it is called the newsvendor's.
#
# **Predict:** for which quantile does this role plan, in per cent?

# %%
from rtlib.staffing import critical_fractile, newsvendor_costs

my_guess = None  # for instance 50
under, over = newsvendor_costs(role)
compare(my_guess, round(100 * critical_fractile(under=under, over=over)))
print(f"an hour too few costs {under:.2f} {role.currency}, one too many {over:.2f} {role.currency}")
assert (critical_fractile(under=under, over=over) > 0.5) == (under > over), "whoever pays more for too few plans higher"

# %% [markdown]
# The cell below computes what the day costs on average for every quantile one might plan for: what is paid, what is
# missing, and both together. **Predict:** where does the blue line have its lowest point?

# %%
from rtlib.staffing.whatif import DayDemand, changed, what_if

contacts = role.share * outlook.bands[outlook.champion][0]
demand = DayDemand(contacts, tuple(LEVELS.tolist()), 30)
charts.cost_chart(role, demand, LEVELS.tolist())

# %% [markdown]
# Two things are worth remembering. The valley is flat: a little off costs little. And its sides are not alike: who
# plans for too little pays more.
#
# Now it is your turn. Move the promise, the price of being short, and *shrinkage*, which is the share of paid time
# that goes into leave, training and illness. **Predict** before you move: which of the three costs most?

# %%
import ipywidgets as widgets
import plotly.graph_objects as go

service = widgets.FloatSlider(role.service_level, min=0.5, max=0.98, step=0.01, description="promise")
ratio = widgets.FloatSlider(under / over, min=0.2, max=9, step=0.1, description="few : many")
shrink = widgets.FloatSlider(role.shrinkage, min=0, max=0.5, step=0.01, description="shrinkage")

def planned():
    other = changed(role, service_level=service.value, cost_ratio=ratio.value, shrinkage=shrink.value)
    return charts.day_chart(demand, what_if(other, demand), role=other)

# %% [markdown]
# The picture follows your hand: a plan for the whole day is made for each position of a slider, for all nineteen
# quantiles of the forecast.

# %%
picture = go.FigureWidget(planned())
for control in (service, ratio, shrink):
    control.observe(lambda _: picture.update(planned().to_dict(), overwrite=True), names="value")
widgets.VBox([widgets.HBox([service, ratio, shrink]), picture])

# %% [markdown]
# How long does such a plan take? We ask with a promise that nobody has asked for yet, so that nothing is remembered.

# %%
from time import perf_counter

began = perf_counter()
what_if(changed(role, service_level=0.8123, cost_ratio=2.5), demand)
print(f"{1000 * (perf_counter() - began):.0f} ms")

# %% [markdown]
# ## Shifts
#
# Nobody comes in for half an hour. People work shifts, of lengths that were agreed on, with a break, within the
# opening hours. Which shifts, and how many of each? That is an *integer program*: whole numbers, a price to be made
# as small as possible, and a need in each half-hour. A solver called HiGHS finds the answer. It may leave a gap where
# a whole shift would cost more than the gap.
#
# **Predict:** how many shifts does the day take? Look at the picture above: the largest number of people is a lower
# bound.

# %%
from rtlib.staffing import roster

my_guess = None  # for instance 60
best = what_if(role, demand)
found = roster(role, best.needed, interval_minutes=30)
compare(my_guess, sum(number for _, number in found.shifts))
charts.roster_chart(found, best.needed)

# %% [markdown]
# Where the blue is above the line, people are there because their shift is not over. That is the price of shifts, and
# no forecast can save it.
#
# ## What was it worth?
#
# Now we look at the day that was kept aside. Three plans compete, all bound to the same shifts: ours, one by somebody
# who knew what would come (*perfect foresight*), and "the same as last week". **Predict:** by how many per cent is
# ours dearer than foresight?

# %%
from rtlib.staffing import people_needed


def needs(row):
    return people_needed(role, role.share * busiest.values[row], interval_minutes=30)

truth = needs(28)
plans = {"forecast": found, "foresight": roster(role, truth, interval_minutes=30),
         "last week": roster(role, needs(21), interval_minutes=30)}

# %% [markdown]
# What a plan costs is its wages, and every hour in which somebody was missing when the day came.

# %%
import pandas as pd

my_guess = None  # for instance 5
cost = {name: one.cost(truth, missing_cost=role.missing_cost) for name, one in plans.items()}
compare(my_guess, round(100 * (cost["forecast"] / cost["foresight"] - 1)))
assert cost["foresight"] <= 1.01 * min(cost.values()), "nobody plans better than one who knows what will come"
pd.DataFrame({"wages": {name: one.wages for name, one in plans.items()}, "with what was missing": cost}).round(0)

# %% [markdown]
# One day proves nothing: on a single day last week may win by luck. In a terminal, `rtlib bench staffing` does the
# same for many days, for each domain and for the bank's real calls. In the running stack, `rtlib staffing plan` makes
# the shifts for the days that are forecast, and stores them in `OPS.STAFFING`. Both go one step further than we did
# here: a shift serves many half-hours, so they weigh all quantiles at once, and not one quantile in each half-hour.
#
# **Try it:** go back to the parameters, take another `domain_name` (`"iot"`, for instance, where a technician needs 25
# minutes for each fault), and run all cells. **Predict** first: does that role plan for a higher quantile, or a lower
# one?
#
# <details><summary>A hint</summary>
#
# How long one contact takes decides how many people are needed. The quantile is decided by two prices alone.
#
# </details>
# <details><summary>The answer</summary>
#
# The highest of the four: about 68 % for the technician, some 63 % for those who answer chats, and 57 % for the runner
# at the curb. An hour in which a technician is missing costs more than twice what an hour too many costs, because goods
# spoil. The 25 minutes raise the number of people and leave the quantile alone.
#
# </details>

# %% [markdown]
# You have learned
#
# - how many people a number of contacts needs, and why it is more than the work they bring
# - why large teams are cheaper than many small ones
# - for which quantile of a forecast one should plan
# - how a solver turns needs into shifts, and what a good forecast is worth
