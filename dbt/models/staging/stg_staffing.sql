with staffing as (
    select * from {{ source('ops', 'staffing') }}
)

select
    domain,
    site,
    interval_start,
    role,
    contacts,
    required,
    planned,
    service_level,
    cost,
    currency,
    made_at
from staffing
