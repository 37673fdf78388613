with staffing as (
    select * from {{ source('ops', 'staffing') }}
)

select
    domain,
    site,
    interval_start,
    required,
    planned,
    made_at
from staffing
