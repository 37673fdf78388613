with events as (
    select * from {{ ref('stg_events') }}
    where is_live
),

compared as (
    {{ compared_since() }}
),

-- What the stream had seen of the domain when this event came. An event may have been dropped by the watermark only if
-- one newer by more than the watermark's delay had come before. The stream moves its watermark at the end of a batch,
-- so it drops fewer.
arrived as (
    select
        events.domain,
        events.site,
        events.kind,
        events.window_start,
        events.value,
        events.occurred_at,
        events.received_at >= dateadd(second, {{ var('window_seconds') }}, events.window_start) as is_late,
        max(events.occurred_at) over (
            partition by events.domain
            order by events.received_at, events.kafka_partition, events.kafka_offset
            rows between unbounded preceding and 1 preceding
        ) as newest_before
    from events
    inner join compared on events.received_at >= compared.since
),

judged as (
    select
        *,
        coalesce(
            datediff(millisecond, occurred_at, newest_before) >= {{ var('watermark_seconds') }} * 1000, false
        ) as is_behind
    from arrived
)

select
    domain,
    site,
    window_start,
    kind,
    count(*) as events,
    count_if(is_late) as late,
    count_if(is_behind) as behind,
    count(value) as values_counted,
    sum(value) as value_sum,
    min(value) as value_min,
    max(value) as value_max,
    count_if(value is not null and not is_behind) as values_in_time,
    sum(case when not is_behind then value end) as in_time_sum,
    min(case when not is_behind then value end) as in_time_min,
    max(case when not is_behind then value end) as in_time_max,
    sum(case when is_behind and value < 0 then value end) as behind_below_zero,
    sum(case when is_behind and value > 0 then value end) as behind_above_zero,
    min(case when is_behind then value end) as behind_min,
    max(case when is_behind then value end) as behind_max,
    max(occurred_at) as newest_occurred_at
from judged
-- Of a window that begins with the look back, or soon after, the oldest events may be missing.
where window_start >= (select compared.first_window from compared)
group by domain, site, window_start, kind
