with forecasts as (
    select * from {{ source('ml', 'forecasts') }}
)

select
    domain,
    site,
    model,
    made_at,
    interval_start,
    mean,
    lower_80,
    upper_80,
    is_champion
from forecasts
