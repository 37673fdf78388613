with batches as (
    select * from {{ source('raw', 'batches') }}
)

select
    query,
    domain,
    batch_id,
    rows_read,
    rows_new,
    rows_duplicate,
    rows_rejected,
    parse_json(offsets_to) as offsets_to,
    applied_at
from batches
