with rejected as (
    select * from {{ source('raw', 'rejected') }}
),

-- The bytes begin with a zero, four bytes of schema id and "{". Six bytes are eight letters of base64: what follows is
-- text, if the record was JSON at all.
read as (
    select
        domain,
        reason,
        field,
        topic,
        kafka_partition,
        kafka_offset,
        received_at,
        try_parse_json('{' || {{ text_of_base64('substr(payload, 9)') }}) as content
    from rejected
)

select
    domain,
    reason,
    field,
    topic,
    kafka_partition,
    kafka_offset,
    received_at,
    content:site::varchar as site,
    {{ moment_of_text('content:occurred_at::varchar') }} as occurred_at
from read
