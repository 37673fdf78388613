with staffing as (
    select * from {{ ref('stg_staffing') }}
),

loads as (
    select * from {{ ref('int_loads') }}
),

-- People who serve all sites are planned by the domain's clocks.
zones as (
    select
        domain,
        site,
        time_zone
    from {{ ref('sites') }}
    union all
    select
        domain,
        'all' as site,
        time_zone
    from {{ ref('domains') }}
)

select
    staffing.domain,
    staffing.site,
    staffing.interval_start,
    {{ local_time('staffing.interval_start', "coalesce(zones.time_zone, 'UTC')") }} as local_start,
    coalesce(zones.time_zone, 'UTC') as time_zone,
    staffing.role,
    staffing.required::number(19, 0) as required,
    staffing.planned::number(19, 0) as planned,
    (staffing.planned - staffing.required)::number(19, 0) as gap,
    staffing.cost::float as planned_cost,
    staffing.currency,
    staffing.contacts::float as planned_contacts,
    loads.contacts::float as actual_contacts,
    staffing.made_at
from staffing
left join loads
    on
        staffing.domain = loads.domain
        and staffing.site = loads.site
        and staffing.interval_start = loads.interval_start
left join zones on staffing.domain = zones.domain and staffing.site = zones.site
