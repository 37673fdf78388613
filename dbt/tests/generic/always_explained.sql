{#- Every difference between the two layers has a reason; a missing measurement is not a reason. -#}
{% test always_explained(model, column_name) %}
select * from {{ model }}
where {{ column_name }} in ('unexplained', 'not measured')
{% endtest %}
