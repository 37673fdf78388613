with kpis as (
    select * from {{ source('speed', 'kpis') }}
)

select
    domain,
    site,
    window_start,
    window_end,
    measures,
    events,
    late,
    first_event_at,
    last_event_at,
    emitted_at,
    loaded_at
from kpis
