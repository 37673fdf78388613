{#- Every difference between the two layers has its reason. That one of them was never told of is none. -#}
{% test always_explained(model, column_name) %}
select * from {{ model }}
where {{ column_name }} in ('unexplained', 'not measured')
{% endtest %}
