{#- The value exists for its domain: the test relationships, over two columns. -#}
{% test known_with_domain(model, column_name, to, field) %}
select
    used.domain,
    used.{{ column_name }}
from (select distinct domain, {{ column_name }} from {{ model }}) as used
left join {{ to }} as known on used.domain = known.domain and used.{{ column_name }} = known.{{ field }}
where known.{{ field }} is null
{% endtest %}
