with events as (
    select * from {{ source('raw', 'events') }}
)

select
    event_id,
    domain,
    site,
    kind,
    occurred_at,
    received_at,
    value,
    unit,
    kafka_partition,
    kafka_offset,
    topic <> 'history' as is_live,
    {{ interval_of('occurred_at') }} as interval_start,
    {{ window_of('occurred_at') }} as window_start,
    coalesce(loaded_at, received_at) as loaded_at
from events
