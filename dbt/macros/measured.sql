{#-
  The measures of a domain from sums by kind, for any period. The definitions are in the seeds measures and
  measure_kinds, which come from the same file that the stream reads.

  The relation has the columns domain, site, the period, kind, events, values_counted, value_sum, value_min and value_max.
  The result has one row for each site, period and measure; a count of no events is 0, any other measure of no events is
  null. A share divides the events of the kinds "counted" by those of the kinds "whole".
-#}
{% macro measured(relation, period) -%}
    select
        periods.domain,
        periods.site,
        periods.{{ period }},
        measures.measure,
        measures.aggregate,
        coalesce(sums.counted, 0) as counted,
        coalesce(sums.whole, 0) as whole,
        sums.value_sum,
        {{ measure_value("measures.aggregate", "sums") }} as measured_value
    from (select distinct domain, site, {{ period }} from {{ relation }}) as periods
    inner join {{ ref("measures") }} as measures on periods.domain = measures.domain
    left join (
        select
            kinds.domain,
            kinds.site,
            kinds.{{ period }},
            roles.measure,
            sum(case when roles.role = 'counted' then kinds.events else 0 end) as counted,
            sum(case when roles.role = 'whole' then kinds.events else 0 end) as whole,
            sum(case when roles.role = 'counted' then kinds.values_counted end) as values_counted,
            sum(case when roles.role = 'counted' then kinds.value_sum end) as value_sum,
            min(case when roles.role = 'counted' then kinds.value_min end) as value_min,
            max(case when roles.role = 'counted' then kinds.value_max end) as value_max
        from {{ relation }} as kinds
        inner join {{ ref("measure_kinds") }} as roles on kinds.domain = roles.domain and kinds.kind = roles.kind
        group by kinds.domain, kinds.site, kinds.{{ period }}, roles.measure
    ) as sums
        on
            periods.domain = sums.domain
            and periods.site = sums.site
            and periods.{{ period }} = sums.{{ period }}
            and measures.measure = sums.measure
{%- endmacro %}

{% macro measure_value(aggregate, sums) -%}
    case {{ aggregate }}
        when 'count' then coalesce({{ sums }}.counted, 0)
        when 'share' then {{ sums }}.counted / nullif({{ sums }}.whole, 0)
        when 'sum' then {{ sums }}.value_sum
        when 'mean' then {{ sums }}.value_sum / nullif({{ sums }}.values_counted, 0)
        when 'max' then {{ sums }}.value_max
        when 'min' then {{ sums }}.value_min
    end::float
{%- endmacro %}

{#- Severity of a value: a threshold is crossed once it is reached, and a null value is ok. -#}
{% macro severity(value, direction, warn, critical) -%}
    case
        when {{ value }} is null then 'ok'
        when {{ direction }} = 'high' and {{ value }} >= {{ critical }} then 'critical'
        when {{ direction }} = 'low' and {{ value }} <= {{ critical }} then 'critical'
        when {{ direction }} = 'high' and {{ value }} >= {{ warn }} then 'warn'
        when {{ direction }} = 'low' and {{ value }} <= {{ warn }} then 'warn'
        else 'ok'
    end
{%- endmacro %}

{#- If a value is null, the other. -#}
{% macro smaller_of(one, other) -%}
    least(coalesce({{ one }}, {{ other }}), coalesce({{ other }}, {{ one }}))
{%- endmacro %}

{% macro larger_of(one, other) -%}
    greatest(coalesce({{ one }}, {{ other }}), coalesce({{ other }}, {{ one }}))
{%- endmacro %}

{#- Equal up to rounding, because the stream and the warehouse add in different orders. Null equals null. -#}
{% macro same(one, other) -%}
    (
        ({{ one }} is null and {{ other }} is null)
        or coalesce(abs({{ one }} - {{ other }}) <= 1e-9 * (1 + abs({{ other }})), false)
    )
{%- endmacro %}
