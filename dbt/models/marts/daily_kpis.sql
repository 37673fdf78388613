with days as (
    select
        domain,
        site,
        date_trunc('day', interval_start) as day_start,
        kind,
        sum(events) as events,
        sum(values_counted) as values_counted,
        sum(value_sum) as value_sum,
        min(value_min) as value_min,
        max(value_max) as value_max
    from {{ ref('int_kind_intervals') }}
    group by domain, site, date_trunc('day', interval_start), kind
),

measures as (
    select * from {{ ref('measures') }}
),

measured as (
    {{ measured('days', 'day_start') }}
)

select
    measured.domain,
    measured.site,
    measured.day_start,
    measured.measure,
    measures.unit,
    measured.measured_value,
    {{ severity('measured.measured_value', 'measures.direction', 'measures.warn', 'measures.critical') }} as severity
from measured
inner join measures on measured.domain = measures.domain and measured.measure = measures.measure
