{#-
  Two settings of the stream. rtlib passes them as variables; a stock dbt reads them from its environment, which
  `rtlib dbt env` sets.
-#}
{% macro window_seconds() -%}
    {{ var("window_seconds", env_var("RTLIB_WINDOW_SECONDS", "60")) }}
{%- endmacro %}

{% macro watermark_seconds() -%}
    {{ var("watermark_seconds", env_var("RTLIB_WATERMARK_SECONDS", "60")) }}
{%- endmacro %}

{#- Begin of the interval of a moment. -#}
{% macro interval_of(moment) -%}
    time_slice({{ moment }}, {{ var("interval_minutes") }}, 'minute')
{%- endmacro %}

{% macro window_of(moment) -%}
    time_slice({{ moment }}, {{ window_seconds() }}, 'second')
{%- endmacro %}

{#-
  The period in which the two layers are compared: its begin, and its first complete window.
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

{#- Seconds from the begin of a window to an event after which the window does not change any more. -#}
{% macro closes_after_seconds() -%}
    ({{ window_seconds() }} + 2 * {{ watermark_seconds() }})
{%- endmacro %}
