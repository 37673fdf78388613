with staffing as (
    select * from {{ ref('stg_staffing') }}
),

domains as (
    select * from {{ ref('domains') }}
),

loads as (
    select * from {{ ref('interval_load') }}
),

-- A plan may be made again; the last one holds.
plans as (
    select * from staffing
    qualify row_number() over (partition by domain, site, interval_start order by made_at desc) = 1
)

select
    plans.domain,
    plans.site,
    plans.interval_start,
    plans.required::number(19, 0) as required,
    plans.planned::number(19, 0) as planned,
    (plans.planned - plans.required)::number(19, 0) as gap,
    (
        plans.planned * domains.hourly_cost * {{ var('interval_minutes') }} / 60.0 / (1 - domains.shrinkage)
    )::float as planned_cost,
    loads.events::number(19, 0) as actual_events,
    plans.made_at
from plans
inner join domains on plans.domain = domains.domain
left join loads
    on
        plans.domain = loads.domain
        and plans.site = loads.site
        and plans.interval_start = loads.interval_start
