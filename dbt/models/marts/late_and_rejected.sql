with windows as (
    select
        domain,
        date_trunc('hour', window_start) as hour_start,
        sum(events - late) as on_time,
        sum(late - behind) as late,
        sum(behind) as behind
    from {{ ref('int_kind_windows') }}
    group by domain, date_trunc('hour', window_start)
),

rejected as (
    select
        domain,
        date_trunc('hour', received_at) as hour_start,
        reason,
        field,
        count(*) as records
    from {{ ref('stg_rejected') }}
    group by domain, date_trunc('hour', received_at), reason, field
),

duplicates as (
    select
        domain,
        date_trunc('hour', applied_at) as hour_start,
        sum(rows_duplicate) as records
    from {{ ref('stg_batches') }}
    where query <> 'history'
    group by domain, date_trunc('hour', applied_at)
),

audited as (
    select
        domain,
        hour_start,
        'on time' as outcome,
        '' as reason,
        on_time as records
    from windows
    union all
    select
        domain,
        hour_start,
        'late' as outcome,
        '' as reason,
        late as records
    from windows
    union all
    select
        domain,
        hour_start,
        'behind the watermark' as outcome,
        '' as reason,
        behind as records
    from windows
    union all
    select
        domain,
        hour_start,
        'duplicate' as outcome,
        '' as reason,
        records
    from duplicates
    union all
    select
        domain,
        hour_start,
        'rejected' as outcome,
        case when field = '' then reason else field || ': ' || reason end as reason,
        records
    from rejected
)

select
    domain,
    hour_start,
    outcome,
    reason,
    records::number(19, 0) as records
from audited
where records <> 0
