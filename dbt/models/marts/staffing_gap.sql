with staffing as (
    select * from {{ ref('stg_staffing') }}
),

loads as (
    select * from {{ ref('int_loads') }}
)

select
    staffing.domain,
    staffing.site,
    staffing.interval_start,
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
