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
# # 07 Staffing: what a wrong forecast costs
#
# You will learn
#
# - how many people a number of contacts needs, and why it is more than the work alone suggests
# - why a large team is cheaper than many small teams
# - for which quantile of a forecast to plan
# - how a solver turns needs into shifts, and what a good forecast is worth
#
# This lesson needs no running stack. It takes about half an hour.

# %% [markdown]
# The parameters of this lesson: the domain (by default the domain of your stack), its events per day, and the seed of
# its simulated load. Leave them unchanged for now.

# %% tags=["parameters"]
domain_name = None  # for example "iot"
per_day = 200_000
seed = 7

# %% [markdown]
# Papermill can run the lesson with other values, for example `papermill 07_staffing.ipynb done.ipynb -p domain_name
# iot`. `parameters` validates them. `predict` prints a result next to your guess.

# %%
from rtlib.lessons import parameters, predict

domain_name, per_day, seed = parameters("07_staffing", domain_name=domain_name, per_day=per_day, seed=seed)

# %% [markdown]
# ## From contacts to people
#
# A hundred customers call within half an hour, and each call takes three minutes. That is 300 minutes of work in 30
# minutes, which keeps ten people busy without a pause. Such a load is called 10 *Erlangs*, after the engineer who in
# 1917 published the formula used below.
#
# The service target is to answer 80 % of the calls within twenty seconds. In a terminal,
# `rtlib staffing erlang --calls 100 --aht 180` computes the same.
#
# **Predict:** how many people (*agents*) does that take?

# %%
from rtlib.staffing import agents_needed, offered_load

my_guess = None  # for example 11
load = offered_load(100, interval_minutes=30, aht_seconds=180)
small = agents_needed(load, aht_seconds=180, target=0.8, within_seconds=20)
predict("07.a", my_guess, small.agents)
assert small.agents > load, "without spare capacity the queue never gets shorter: plan for more agents than load"
small

# %% [markdown]
# Ten are never enough. Calls arrive in clusters, and the idle time of a quiet minute cannot be recovered later. With
# ten agents the queue would grow without limit. The chart shows the effect of each additional agent.

# %%
from rtlib.staffing import charts

charts.service_chart(load, aht_seconds=180, within_seconds=20, target=0.8)

# %% [markdown]
# Almost the whole effect lies between eleven and fourteen agents: a single agent more or less decides between a good
# and a bad day. Because the curve is so steep, forecasts matter. Beyond sixteen agents there is hardly any improvement.
#
# ## A large team is cheaper
#
# Now suppose that ten times as many calls arrive.
#
# **Predict:** how many agents do they need: ten times as many?

# %%
my_guess = None  # for example 140
large = agents_needed(10 * load, aht_seconds=180, target=0.8, within_seconds=20)
predict("07.b", my_guess, large.agents)
assert large.agents < 10 * small.agents, "a large team balances peaks and pauses, so it needs fewer agents per call"
print(f"each agent is busy {large.occupancy:.0%} of the time; in the small team it was {small.occupancy:.0%}")

# %% [markdown]
# In a large team, random peaks and pauses balance out. So a team that serves all sites together (by chat or telephone)
# needs fewer people than separate teams at each site (for example, runners who carry orders to waiting cars). Each
# domain defines which of the two it has: `pooled`.
#
# Erlang's formula assumes that no caller hangs up. If callers give up after about five minutes, fewer agents meet the
# target, but some calls are lost.
#
# **Predict:** what share of the calls is lost?

# %%
from rtlib.staffing import agents_needed_a

my_guess = None  # for example 0.1
impatient = agents_needed_a(load, aht_seconds=180, target=0.8, within_seconds=20, patience_seconds=300)
predict("07.c", my_guess, round(impatient.abandoned, 3))
print(f"{impatient.agents} agents instead of {small.agents}")

# %% [markdown]
# ## A forecast to plan for
#
# The next cell simulates four weeks of a domain's load, from the same law of demand from which the simulator draws
# events: each site follows its own clock, by which its days and hours are counted. From these we forecast the next
# day for the busiest site (or for all sites together, if the team is pooled), with all quantiles of the forecast.

# %%
from datetime import datetime
from zoneinfo import ZoneInfo

from rtlib.config import load_settings
from rtlib.domains import load_domain
from rtlib.forecast import LEVELS, forecast_all
from rtlib.pipeline.planning.demand import series_of
from rtlib.simulator.interval_counts import simulated_load

domain = load_domain(domain_name or load_settings().domain)
midnight = datetime(2026, 3, 2, tzinfo=ZoneInfo(domain.time_zone))
counts = simulated_load(domain, seed=seed, until=midnight, days=29, per_day=per_day)

# %% [markdown]
# The last day is held out: it is the day to plan for, and its real load is used only at the very end.

# %%
role, sites = domain.staffing, series_of(counts, domain)
candidates = [series for series in sites if (series.unique_id == "all") == role.pooled]
busiest = max(candidates, key=lambda series: series.values.sum())
(outlook,) = forecast_all([busiest.until(28)], origins=10)
print(f"{role.title} at {busiest.unique_id}, {outlook.days[0]:%A}. {outlook.why}")

# %% [markdown]
# ## For which quantile?
#
# If you plan for the median, you have too few people on about every second day. Is that bad? It depends on the costs.
# An hour of a person who is not needed costs a wage. A missing hour costs customers; the domain defines how much. One
# more person pays off as long as the probability that the person is needed, times the cost of a missing hour, is larger
# than the probability that the person is idle, times the cost of an idle hour. So the quantile to plan for is
# *cost of too few / (cost of too few + cost of too many)*. Newspaper sellers face the same problem every morning, so it
# is known as the newsvendor problem.
#
# **Predict:** for which quantile does this role plan, in per cent?

# %%
from rtlib.staffing import critical_fractile, newsvendor_costs

my_guess = None  # for example 50
under, over = newsvendor_costs(role)
predict("07.d", my_guess, round(100 * critical_fractile(under=under, over=over)))
print(f"an hour too few costs {under:.2f} {role.currency}, an hour too many costs {over:.2f} {role.currency}")
assert (critical_fractile(under=under, over=over) > 0.5) == (under > over), "if too few costs more, plan higher"

# %% [markdown]
# The next chart shows the expected cost of the day for every quantile that you might plan for: wages, cost of missing
# people, and their sum.
#
# **Predict:** where does the blue line have its minimum?

# %%
from rtlib.staffing.whatif import DayDemand, changed, what_if

contacts = role.share * outlook.bands[outlook.champion][0]
demand = DayDemand(contacts, tuple(LEVELS.tolist()), 30)
charts.cost_chart(role, demand, LEVELS.tolist())

# %% [markdown]
# Remember two things. The minimum is flat: a small deviation costs little. And the curve is not symmetric: planning for
# too few costs more.
#
# Now change the assumptions yourself: the service target, the cost ratio of too few to too many, and the *shrinkage*,
# which is the share of paid time spent on leave, training and illness.
#
# **Predict:** which of the three has the largest effect on the cost?

# %%
import ipywidgets as widgets
import plotly.graph_objects as go

service = widgets.FloatSlider(role.service_level, min=0.5, max=0.98, step=0.01, description="target")
ratio = widgets.FloatSlider(under / over, min=0.2, max=9, step=0.1, description="cost ratio")
shrinkage = widgets.FloatSlider(role.shrinkage, min=0, max=0.5, step=0.01, description="shrinkage")

def day_plan():
    other = changed(role, service_level=service.value, cost_ratio=ratio.value, shrinkage=shrinkage.value)
    return charts.day_chart(demand, what_if(other, demand), role=other)


# %% [markdown]
# The chart follows the sliders. At each change the library plans the whole day, for all nineteen quantiles of the
# forecast.

# %%
picture = go.FigureWidget(day_plan())
for control in (service, ratio, shrinkage):
    control.observe(lambda _: picture.update(day_plan().to_dict(), overwrite=True), names="value")
widgets.VBox([widgets.HBox([service, ratio, shrinkage]), picture])

# %% [markdown]
# How long does such a plan take? To measure it, use a service target that has not been used before, so that no cached
# result is returned.

# %%
from time import perf_counter

start = perf_counter()
what_if(changed(role, service_level=0.8123, cost_ratio=2.5), demand)
print(f"{1000 * (perf_counter() - start):.0f} ms")

# %% [markdown]
# ## Shifts
#
# People do not come to work for half an hour. They work shifts of agreed lengths, with a break, within the opening
# hours. Which shifts should there be, and how many of each? That is an *integer program*: whole numbers of shifts, a
# cost to minimize, and a need in each half-hour. A solver called HiGHS finds the optimum. It may leave a gap where an
# extra shift would cost more than the gap.
#
# **Predict:** how many shifts does the day need? The largest number of people in the chart above is a lower bound.

# %%
from rtlib.formatting import place_of
from rtlib.staffing import roster

my_guess = None  # for example 60
need = what_if(role, demand).needed
plan = roster(role, need, interval_minutes=30)
predict("07.e", my_guess, sum(number for _, number in plan.shifts))
charts.roster_chart(plan, need, place=place_of(busiest.time_zone))

# %% [markdown]
# Where the blue area is above the line, people are present because their shift is not over. That is the cost of shifts,
# and no forecast can avoid it.
#
# ## What was the forecast worth?
#
# Now use the day that was held out. Three plans compete, all with the same kinds of shift: the plan from the forecast,
# a plan with *perfect foresight*, which knows the real load, and a plan for the load of last week. First compute the
# needs and the plans.

# %%
from rtlib.staffing import people_needed


def needs(day):
    return people_needed(role, role.share * busiest.values[day], interval_minutes=30)

truth = needs(28)
plans = {"forecast": plan, "foresight": roster(role, truth, interval_minutes=30),
         "last week": roster(role, needs(21), interval_minutes=30)}

# %% [markdown]
# The cost of a plan is its wages, plus the cost of every hour in which people were missing on that day.
#
# **Predict:** by how many per cent does the plan from the forecast cost more than foresight?

# %%
import pandas as pd

my_guess = None  # for example 5
cost = {name: each.cost(truth, missing_cost=role.missing_cost) for name, each in plans.items()}
predict("07.f", my_guess, round(100 * (cost["forecast"] / cost["foresight"] - 1)))
assert cost["foresight"] <= 1.01 * min(cost.values()), "no plan can be better than foresight"
pd.DataFrame({"wages": {name: each.wages for name, each in plans.items()}, "with missing hours": cost}).round(0)

# %% [markdown]
# A single day proves nothing: last week may win by luck. In a terminal, `rtlib bench staffing` compares the plans over
# many days, for each domain and for the real calls of the bank. In the running stack, `rtlib staffing plan` plans the
# shifts for the forecast days and stores them in `OPS.STAFFING`. Both go a step further than this lesson: because a
# shift covers many half-hours, they weigh all quantiles together, and not a single quantile in each half-hour.
#
# **Try it:** change `domain_name` in the parameters cell (for example to `"iot"`, where a technician needs 25 minutes
# per fault), and run all cells. **Predict:** does that role plan for a higher or a lower quantile?
#
# <details><summary>A hint</summary>
#
# The duration of a contact determines how many people are needed. The quantile depends only on the two costs.
#
# </details>
# <details><summary>The answer</summary>
#
# A higher quantile, the highest of the four domains: about 68 % for the technician, about 63 % for the chat agents, and
# 57 % for the runner at the curb. A missing hour of a technician costs more than twice as much as an idle hour, because
# goods spoil. The 25 minutes increase the number of people, but do not change the quantile.
#
# </details>

# %% [markdown]
# ## Your turn
#
# Five exercises on what you have seen. Replace the blanks, and run the cell: `check` says whether your answer is right
# and, if it is not, which belief it shows. A cell that you leave as it is counts as not answered yet. A plan is scored
# by what it costs.

# %%
import math

import numpy as np

from rtlib.lessons import check, given, hint, solution

# %% [markdown] exercise="07.1"
# ### Exercise 07.1: from calls to Erlangs
#
# `calls` customers call within `minutes` minutes, and each call takes `aht` *seconds*. Complete the formula of the
# offered load in Erlangs: how many people would be busy without a pause?
#
# *About 3 minutes (complete a line). Help: `hint("07.1")`, and after a try `solution("07.1")`.*

# %% exercise="07.1"
### BEGIN SOLUTION
calls, aht, minutes = given("07.1")
erlangs = calls * aht / (minutes * 60)
### END SOLUTION
check("07.1", erlangs)


# %% [markdown] exercise="07.2"
# ### Exercise 07.2: the smallest team
#
# `service_level(agents)` returns the share of calls that this number of agents answers within twenty seconds. Return
# the smallest number of agents that reaches the target.
#
# *About 7 minutes (write your own). Help: `hint("07.2")`, and after a try `solution("07.2")`.*

# %% exercise="07.2"
### BEGIN SOLUTION
def agents_for(load, service_level, target):
    agents = math.ceil(load)
    while service_level(agents) < target:
        agents += 1
    return agents
### END SOLUTION
check("07.2", agents_for)


# %% [markdown] exercise="07.3"
# ### Exercise 07.3: for which quantile?
#
# An hour in which a person is missing costs `too_few`; an hour in which a person is idle costs `too_many`. Return the
# quantile of the forecast to plan for, from 0 to 1.
#
# *About 4 minutes (write your own). Help: `hint("07.3")`, and after a try `solution("07.3")`.*

# %% exercise="07.3"
### BEGIN SOLUTION
def quantile(too_few, too_many):
    return too_few / (too_few + too_many)
### END SOLUTION
check("07.3", quantile)


# %% [markdown] exercise="07.4"
# ### Exercise 07.4: a plan that is scored by its cost
#
# Lesson 06 and this one together: `days` holds thirty days like the one to plan for, with the people that were needed
# in each of 24 hours. Return how many people to plan for each hour. `check` applies your plan to thirty other days; it
# may cost at most two per cent more than the plan for the right quantile.
#
# *About 8 minutes (join two lessons). Help: `hint("07.4")`, and after a try `solution("07.4")`.*

# %% exercise="07.4"
### BEGIN SOLUTION
def plan(days, too_few, too_many):
    return np.quantile(days, too_few / (too_few + too_many), axis=0)
### END SOLUTION
check("07.4", plan)


# %% [markdown] exercise="07.5"
# ### Exercise 07.5: boss: the service level within the budget
#
# `need` has the people that are needed in each of 24 hours. People work shifts of `length` hours, which end by
# midnight. Return how many people *begin* in each hour, such that at least the share `target` of all needed hours is
# covered. Paid hours are dear: you may pay five per cent more than a plan that always adds the shift which covers most
# of what is missing.
#
# *About 15 minutes (boss exercise). Help: `hint("07.5")`, and after a try `solution("07.5")`.*

# %% exercise="07.5"
### BEGIN SOLUTION
def shifts(need, length, target):
    starts = np.zeros(24)
    missing = need.copy()
    while missing.clip(0).sum() > (1 - target) * need.sum():
        gains = [missing[hour:hour + length].clip(0, 1).sum() for hour in range(25 - length)]
        hour = int(np.argmax(gains))
        starts[hour] += 1
        missing[hour:hour + length] -= 1
    return starts
### END SOLUTION
check("07.5", shifts)


# %% [markdown]
# You have learned
#
# - how many people a number of contacts needs, and why it is more than the work alone suggests
# - why a large team is cheaper than many small teams
# - for which quantile of a forecast to plan
# - how a solver turns needs into shifts, and what a good forecast is worth
#
# Next: `08_alerts`, which notifies people when the plan or a KPI needs attention.
