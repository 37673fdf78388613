with intervals as (
    select * from {{ ref('int_kind_intervals') }}
),

kinds as (
    select * from {{ ref('kinds') }}
),

sites as (
    select * from {{ ref('sites') }}
),

domains as (
    select * from {{ ref('domains') }}
),

-- A rollup is made of an interval that is over.
newest as (
    select
        domain,
        max(occurred_at) as occurred_at
    from (
        select
            domain,
            occurred_at
        from {{ ref('stg_events') }}
        union all
        select
            domain,
            dateadd(minute, {{ var('interval_minutes') }}, interval_start) as occurred_at
        from {{ ref('stg_rollups') }}
    ) as moments
    group by domain
),

-- An interval without any event in the whole domain was not measured. It is left out, and so is the interval that is
-- not over yet.
measured as (
    select
        intervals.domain,
        intervals.interval_start
    from intervals
    inner join newest on intervals.domain = newest.domain
    where dateadd(minute, {{ var('interval_minutes') }}, intervals.interval_start) <= newest.occurred_at
    group by intervals.domain, intervals.interval_start
),

counted as (
    select
        intervals.domain,
        intervals.site,
        intervals.interval_start,
        sum(case when kinds.is_staffed then intervals.events else 0 end) as events,
        sum(case when kinds.is_staffed then intervals.live_events else 0 end) as live_events,
        sum(intervals.events) as all_events
    from intervals
    inner join kinds on intervals.domain = kinds.domain and intervals.kind = kinds.kind
    group by intervals.domain, intervals.site, intervals.interval_start
)

select
    measured.domain,
    sites.site,
    measured.interval_start,
    dateadd(minute, {{ var('interval_minutes') }}, measured.interval_start) as interval_end,
    {{ local_time('measured.interval_start', 'sites.time_zone') }} as local_start,
    {{ local_time('measured.interval_start', 'sites.time_zone') }}::date as business_day,
    coalesce(counted.events, 0)::number(19, 0) as events,
    coalesce(counted.live_events, 0)::number(19, 0) as live_events,
    coalesce(counted.all_events, 0)::number(19, 0) as all_events,
    (coalesce(counted.events, 0) * domains.contact_share)::float as contacts
from measured
inner join sites on measured.domain = sites.domain
inner join domains on measured.domain = domains.domain
left join counted
    on
        measured.domain = counted.domain
        and sites.site = counted.site
        and measured.interval_start = counted.interval_start
