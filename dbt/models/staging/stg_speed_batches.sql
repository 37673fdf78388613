with batches as (
    select
        domain,
        batch_id,
        began_at,
        kafka_partition,
        offset_from,
        offset_to,
        watermark,
        lag(offset_to) over (partition by domain, kafka_partition order by began_at, batch_id) as reached_before,
        lag(batch_id) over (partition by domain, kafka_partition order by began_at, batch_id) as batch_before,
        lag(watermark) over (partition by domain, kafka_partition order by began_at, batch_id) as watermark_before
    from {{ source('speed', 'batches') }}
)

-- Records of an unreported batch belong to the next reported batch, with its later watermark.
select
    domain,
    batch_id,
    began_at,
    kafka_partition,
    least(offset_from, coalesce(reached_before, 0)) as offset_from,
    offset_to,
    case when batch_id = batch_before + 1 then watermark_before else watermark end as dropped_until
from batches
