{#- The value is one that its domain knows: relationships, by two columns. -#}
{% test known_with_domain(model, column_name, to, field) %}
select
    told.domain,
    told.{{ column_name }}
from (select distinct domain, {{ column_name }} from {{ model }}) as told
left join {{ to }} as known on told.domain = known.domain and told.{{ column_name }} = known.{{ field }}
where known.{{ field }} is null
{% endtest %}
