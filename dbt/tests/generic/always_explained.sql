{#- Every difference between the two layers has its reason. -#}
{% test always_explained(model, column_name) %}
select * from {{ model }}
where {{ column_name }} = 'unexplained'
{% endtest %}
