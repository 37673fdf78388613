with intervals as (
    select
        counted.*,
        times.business_day
    from {{ ref('int_kind_intervals') }} as counted
    inner join {{ ref('int_local_times') }} as times
        on
            counted.domain = times.domain
            and counted.site = times.site
            and counted.interval_start = times.interval_start
),

days as (
    select
        domain,
        site,
        business_day,
        kind,
        sum(events) as events,
        sum(values_counted) as values_counted,
        sum(value_sum) as value_sum,
        min(value_min) as value_min,
        max(value_max) as value_max
    from intervals
    group by domain, site, business_day, kind
),

-- From midnight to midnight by the site's clocks.
clocks as (
    select
        domain,
        site,
        business_day,
        time_zone,
        {{ begin_of_day('business_day', 'time_zone') }} as day_start,
        {{ begin_of_day('dateadd(day, 1, business_day)', 'time_zone') }} as next_day_start
    from (
        select distinct
            domain,
            site,
            business_day,
            time_zone
        from {{ ref('int_local_times') }}
    ) as local_days
),

measures as (
    select * from {{ ref('measures') }}
),

measured as (
    {{ measured('days', 'business_day') }}
)

select
    measured.domain,
    measured.site,
    measured.business_day,
    dayofweekiso(measured.business_day)::number(2, 0) as weekday,
    clocks.day_start,
    (datediff(minute, clocks.day_start, clocks.next_day_start) / 60)::float as hours_in_day,
    clocks.time_zone,
    measured.measure,
    measures.unit,
    measured.measured_value,
    {{ severity('measured.measured_value', 'measures.direction', 'measures.warn', 'measures.critical') }} as severity
from measured
inner join measures on measured.domain = measures.domain and measured.measure = measures.measure
inner join clocks
    on
        measured.domain = clocks.domain
        and measured.site = clocks.site
        and measured.business_day = clocks.business_day
