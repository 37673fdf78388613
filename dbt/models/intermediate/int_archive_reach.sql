with archived as (
    select
        batches.domain,
        each.key as kafka_partition,
        max(each.value::int) as offset_to
    from {{ ref('stg_batches') }} as batches, lateral flatten(input => batches.offsets_to) as each -- noqa: AL05, RF01
    where batches.query = 'archive'
    group by batches.domain, each.key
),

-- A query that lost its checkpoint reads events again; then its earlier batches have read farther.
reported as (
    select
        domain,
        began_at,
        kafka_partition,
        max(offset_to) over (
            partition by domain, kafka_partition order by began_at, batch_id
            rows between unbounded preceding and current row
        ) as offset_to
    from {{ ref('stg_speed_batches') }}
),

-- The first batch with records that the archive has not read, in any partition.
unarchived as (
    select
        reported.domain,
        min(reported.began_at) as began_at
    from reported
    left join archived
        on reported.domain = archived.domain and reported.kafka_partition::varchar = archived.kafka_partition
    where reported.offset_to > coalesce(archived.offset_to, 0)
    group by reported.domain
)

select
    reported.domain,
    max(reported.began_at) as archived_until
from reported
left join unarchived on reported.domain = unarchived.domain
where unarchived.began_at is null or reported.began_at < unarchived.began_at
group by reported.domain
