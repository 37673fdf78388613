with rollups as (
    select * from {{ source('raw', 'rollups') }}
)

select
    domain,
    site,
    kind,
    interval_start,
    events,
    live_events,
    values_counted,
    value_sum,
    value_min,
    value_max,
    loaded_at
from rollups
