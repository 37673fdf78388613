{#-
  Each interval counts the staffed events in RAW, its rollups included: at least those that were readable when the intervals were counted,
  without those in transactions that may have been open then, and at most those that RAW holds now.
-#}
{% test every_staffed_event_counts(model) %}
with model_rows as (
    select domain, interval_start, sum(events) as events from {{ model }} group by domain, interval_start
),

counted as (
    select dateadd(minute, -{{ var("open_transaction_minutes") }}, max(loaded_at)) as until
    from {{ ref("int_kind_intervals") }}
),

held as (
    select domain, kind, occurred_at, 1 as events, coalesce(loaded_at, received_at) as loaded_at
    from {{ source("raw", "events") }}
    union all
    select domain, kind, interval_start as occurred_at, events, loaded_at
    from {{ source("raw", "rollups") }}
),

raw_events as (
    select
        held.domain,
        held.occurred_at,
        {{ interval_of("held.occurred_at") }} as interval_start,
        held.events,
        kinds.is_staffed,
        held.loaded_at <= counted.until as is_settled
    from held
    inner join {{ ref("kinds") }} as kinds on held.domain = kinds.domain and held.kind = kinds.kind
    cross join counted
),

-- The intervals that were over at that time.
reach as (
    select domain, max(occurred_at) as newest_at from raw_events where is_settled group by domain
),

raw_rows as (
    select
        domain,
        interval_start,
        sum(case when is_staffed then events else 0 end) as events,
        sum(case when is_staffed and is_settled then events else 0 end) as settled
    from raw_events
    group by domain, interval_start
),

compared as (
    select
        coalesce(model_rows.domain, raw_rows.domain) as domain,
        coalesce(model_rows.interval_start, raw_rows.interval_start) as interval_start,
        coalesce(model_rows.events, 0) as in_model,
        coalesce(raw_rows.events, 0) as in_raw,
        case
            when dateadd(minute, {{ var("interval_minutes") }}, raw_rows.interval_start) <= reach.newest_at
                then raw_rows.settled
            else 0
        end as at_least
    from model_rows
    full outer join raw_rows
        on model_rows.domain = raw_rows.domain and model_rows.interval_start = raw_rows.interval_start
    left join reach on raw_rows.domain = reach.domain
)

select * from compared
where in_model > in_raw or in_model < at_least
{% endtest %}
