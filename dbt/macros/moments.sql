{#-
  Two settings of the stream. rtlib hands them over as variables; a stock dbt finds them in its environment, where
  `rtlib dbt env` puts them.
-#}
{% macro window_seconds() -%}
    {{ var("window_seconds", env_var("RTLIB_WINDOW_SECONDS", "60")) }}
{%- endmacro %}

{% macro watermark_seconds() -%}
    {{ var("watermark_seconds", env_var("RTLIB_WATERMARK_SECONDS", "60")) }}
{%- endmacro %}

{#- The beginning of the interval that a moment lies in, as one expression. -#}
{% macro interval_of(moment) -%}
    time_slice({{ moment }}, {{ var("interval_minutes") }}, 'minute')
{%- endmacro %}

{% macro window_of(moment) -%}
    time_slice({{ moment }}, {{ window_seconds() }}, 'second')
{%- endmacro %}

{#-
  How far back the two layers are held against one another: since when events are looked at, and the first window of
  which all are seen.
-#}
{% macro compared_since() -%}
    select
        since,
        dateadd(second, {{ watermark_seconds() }}, since) as first_window
    from (
        select
            coalesce(
                dateadd(hour, -{{ var("reconcile_hours") }}, max(received_at)), '1970-01-01'::timestamp_ntz
            ) as since
        from {{ ref("stg_events") }}
        where is_live
    )
{%- endmacro %}

{#- How much later than a window's beginning an event has to be, so that nothing changes the window any more. -#}
{% macro closes_after_seconds() -%}
    ({{ window_seconds() }} + 2 * {{ watermark_seconds() }})
{%- endmacro %}
