with rejected as (
    select * from {{ source('raw', 'rejected') }}
)

select
    domain,
    reason,
    field,
    topic,
    kafka_partition,
    kafka_offset,
    received_at
from rejected
