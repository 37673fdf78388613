{{ config(materialized='view') }}

with loads as (
    select * from {{ ref('interval_load') }}
)

select
    domain,
    site,
    interval_start,
    events,
    contacts
from loads
union all
-- People who serve all sites are planned for the whole domain.
select
    domain,
    'all' as site,
    interval_start,
    sum(events) as events,
    sum(contacts) as contacts
from loads
group by domain, interval_start
