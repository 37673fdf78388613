{#- No interval counts more staffed events than RAW has. Fewer may be: what arrived since the run is the next one's. -#}
{% test every_staffed_event_counts(model) %}
with model_rows as (
    select domain, interval_start, sum(events) as events from {{ model }} group by domain, interval_start
),

raw_rows as (
    select
        events.domain,
        {{ interval_of("events.occurred_at") }} as interval_start,
        count_if(kinds.is_staffed) as events
    from {{ source("raw", "events") }} as events
    inner join {{ ref("kinds") }} as kinds on events.domain = kinds.domain and events.kind = kinds.kind
    group by events.domain, interval_start
),

-- What arrived since the model was made is the next run's.
compared as (
    select
        model_rows.domain,
        model_rows.interval_start,
        model_rows.events as in_model,
        raw_rows.events as in_raw
    from model_rows
    left join raw_rows
        on model_rows.domain = raw_rows.domain and model_rows.interval_start = raw_rows.interval_start
)

select * from compared
where in_raw is null or in_model > in_raw
{% endtest %}
