with sites as (
    select * from {{ ref('sites') }}
),

intervals as (
    select distinct
        domain,
        site,
        interval_start
    from {{ ref('int_kind_intervals') }}
),

-- A site that is in no seed has the clocks of UTC; tests of the marts report it.
zoned as (
    select
        intervals.domain,
        intervals.site,
        intervals.interval_start,
        coalesce(sites.time_zone, 'UTC') as time_zone
    from intervals
    left join sites on intervals.domain = sites.domain and intervals.site = sites.site
),

shown as (
    select
        *,
        {{ local_time('interval_start', 'time_zone') }} as local_start
    from zoned
)

select
    domain,
    site,
    interval_start,
    time_zone,
    local_start,
    local_start::date as business_day,
    date_trunc('hour', local_start)::timestamp_ntz as local_hour_start,
    -- Backwards from the interval, so the two passes of a repeated hour begin at different instants.
    dateadd(minute, -minute(local_start), interval_start)::timestamp_ntz as hour_start
from shown
