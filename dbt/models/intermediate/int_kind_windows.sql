-- depends_on: {{ ref('int_archive_reach') }}
-- It is built first, so that the events counted here include all that it calls archived.
with events as (
    select * from {{ ref('stg_events') }}
    where is_live
),

compared as (
    {{ compared_since() }}
),

arrived as (
    select events.*
    from events
    inner join compared on events.received_at >= compared.since
),

-- The watermark of the batch that read the event; a query that lost its checkpoint reads events again.
reported as (
    select
        arrived.event_id,
        max(batches.dropped_until) as dropped_until
    from arrived
    inner join {{ ref('stg_speed_batches') }} as batches
        on
            arrived.domain = batches.domain
            and arrived.kafka_partition = batches.kafka_partition
            and arrived.kafka_offset >= batches.offset_from
            and arrived.kafka_offset < batches.offset_to
    group by arrived.event_id
),

-- The newest batch counts, not the one with the highest offset: a query that reads again will count these events again.
newest as (
    select
        domain,
        kafka_partition,
        offset_to
    from {{ ref('stg_speed_batches') }}
    qualify row_number() over (partition by domain, kafka_partition order by began_at desc, batch_id desc) = 1
),

judged as (
    select
        arrived.*,
        arrived.received_at >= dateadd(second, {{ window_seconds() }}, arrived.window_start) as is_late,
        coalesce(arrived.occurred_at <= reported.dropped_until, false) as is_behind,
        reported.event_id is not null and arrived.kafka_offset < newest.offset_to as is_reported
    from arrived
    left join reported on arrived.event_id = reported.event_id
    left join newest on arrived.domain = newest.domain and arrived.kafka_partition = newest.kafka_partition
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
    max(occurred_at) as newest_occurred_at,
    count_if(not is_reported) as unreported
from judged
-- A window at the start of the compared period may lack its oldest events.
where window_start >= (select compared.first_window from compared)
group by domain, site, window_start, kind
