with intervals as (
    select
        counted.*,
        times.hour_start
    from {{ ref('int_kind_intervals') }} as counted
    inner join {{ ref('int_local_times') }} as times
        on
            counted.domain = times.domain
            and counted.site = times.site
            and counted.interval_start = times.interval_start
),

hours as (
    select
        domain,
        site,
        hour_start,
        kind,
        sum(events) as events,
        sum(values_counted) as values_counted,
        sum(value_sum) as value_sum,
        min(value_min) as value_min,
        max(value_max) as value_max
    from intervals
    group by domain, site, hour_start, kind
),

clocks as (
    select distinct
        domain,
        site,
        hour_start,
        local_hour_start,
        time_zone
    from {{ ref('int_local_times') }}
),

measures as (
    select * from {{ ref('measures') }}
),

measured as (
    {{ measured('hours', 'hour_start') }}
)

select
    measured.domain,
    measured.site,
    measured.hour_start,
    clocks.local_hour_start,
    clocks.local_hour_start::date as business_day,
    dayofweekiso(clocks.local_hour_start)::number(2, 0) as weekday,
    hour(clocks.local_hour_start)::number(2, 0) as local_hour,
    clocks.time_zone,
    measured.measure,
    measures.unit,
    measured.measured_value,
    {{ severity('measured.measured_value', 'measures.direction', 'measures.warn', 'measures.critical') }} as severity
from measured
inner join measures on measured.domain = measures.domain and measured.measure = measures.measure
inner join clocks
    on measured.domain = clocks.domain and measured.site = clocks.site and measured.hour_start = clocks.hour_start
