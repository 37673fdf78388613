with forecasts as (
    select * from {{ ref('stg_forecasts') }}
),

loads as (
    select * from {{ ref('int_loads') }}
),

scored as (
    select
        forecasts.domain,
        forecasts.site,
        forecasts.model,
        forecasts.made_at,
        forecasts.is_champion,
        loads.events,
        forecasts.mean - loads.events as error,
        forecasts.mean + loads.events as scale,
        loads.events between forecasts.lower_80 and forecasts.upper_80 as is_covered
    from forecasts
    inner join loads
        on
            forecasts.domain = loads.domain
            and forecasts.site = loads.site
            and forecasts.interval_start = loads.interval_start
)

select
    domain,
    site,
    model,
    made_at,
    boolor_agg(is_champion) as is_champion,
    count(*)::number(19, 0) as intervals,
    avg(abs(error))::float as mean_absolute_error,
    avg(error)::float as bias,
    (100 * avg(case when scale = 0 then 0 else 2 * abs(error) / scale end))::float as smape_percent,
    avg(case when is_covered then 1 else 0 end)::float as covered_share
from scored
group by domain, site, model, made_at
