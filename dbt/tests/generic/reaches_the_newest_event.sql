{#- The calendar has to be extended in time: scripts/write_dbt_seeds.py. -#}
{% test reaches_the_newest_event(model) %}
select newest.day
from (select max(interval_start)::date as day from {{ ref("int_kind_intervals") }}) as newest
cross join (select max(calendar_date) as last_day from {{ model }}) as reach
where newest.day > reach.last_day
{% endtest %}
