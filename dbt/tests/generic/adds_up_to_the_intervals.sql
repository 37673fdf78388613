{#-
  Every interval lies on one day of its site: added over all days, a count is that of the
  intervals by instant.
-#}
{% test adds_up_to_the_intervals(model) %}
with by_day as (
    select
        domain,
        site,
        measure,
        sum(measured_value) as events
    from {{ model }}
    group by domain, site, measure
),

by_instant as (
    select
        intervals.domain,
        intervals.site,
        measures.measure,
        sum(case when roles.kind is not null then intervals.events else 0 end) as events
    from {{ ref('int_kind_intervals') }} as intervals
    inner join {{ ref('measures') }} as measures
        on intervals.domain = measures.domain and measures.aggregate = 'count'
    left join {{ ref('measure_kinds') }} as roles
        on
            measures.domain = roles.domain
            and measures.measure = roles.measure
            and intervals.kind = roles.kind
            and roles.role = 'counted'
    group by intervals.domain, intervals.site, measures.measure
)

select
    by_instant.domain,
    by_instant.site,
    by_instant.measure,
    by_instant.events as in_intervals,
    by_day.events as in_days
from by_instant
left join by_day
    on
        by_instant.domain = by_day.domain
        and by_instant.site = by_day.site
        and by_instant.measure = by_day.measure
where by_day.events is null or by_day.events <> by_instant.events
{% endtest %}
