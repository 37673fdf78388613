{#-
  Clocks of places. Times in the warehouse are UTC; a business day, its hours and its weekday are those of a time zone,
  by its IANA name. `zone` may be a column.
-#}

{#- What the clocks of a zone show at an instant. A repeated hour is shown twice. -#}
{% macro local_time(instant, zone) -%}
    convert_timezone('UTC', {{ zone }}, {{ instant }})::timestamp_ntz
{%- endmacro %}

{#- The instant, UTC, at which a day begins by the clocks of a zone. -#}
{% macro begin_of_day(day, zone) -%}
    convert_timezone({{ zone }}, 'UTC', {{ day }}::timestamp_ntz)::timestamp_ntz
{%- endmacro %}
