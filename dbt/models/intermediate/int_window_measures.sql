with kinds as (
    select * from {{ ref('int_kind_windows') }}
),

roles as (
    select * from {{ ref('measure_kinds') }}
),

measures as (
    select * from {{ ref('measures') }}
),

windows as (
    select
        domain,
        site,
        window_start,
        sum(events) as events,
        sum(late) as late,
        sum(behind) as behind
    from kinds
    group by domain, site, window_start
),

sums as (
    select
        kinds.domain,
        kinds.site,
        kinds.window_start,
        roles.measure,
        sum(case when roles.role = 'counted' then kinds.events else 0 end) as counted,
        sum(case when roles.role = 'counted' then kinds.events - kinds.behind else 0 end) as counted_in_time,
        sum(case when roles.role = 'whole' then kinds.events else 0 end) as whole,
        sum(case when roles.role = 'whole' then kinds.events - kinds.behind else 0 end) as whole_in_time,
        sum(case when roles.role = 'counted' then kinds.values_counted end) as values_counted,
        sum(case when roles.role = 'counted' then kinds.value_sum end) as value_sum,
        min(case when roles.role = 'counted' then kinds.value_min end) as value_min,
        max(case when roles.role = 'counted' then kinds.value_max end) as value_max,
        sum(case when roles.role = 'counted' then kinds.values_in_time end) as values_in_time,
        sum(case when roles.role = 'counted' then kinds.in_time_sum end) as in_time_sum,
        min(case when roles.role = 'counted' then kinds.in_time_min end) as in_time_min,
        max(case when roles.role = 'counted' then kinds.in_time_max end) as in_time_max,
        coalesce(sum(case when roles.role = 'counted' then kinds.behind_below_zero end), 0) as below_zero,
        coalesce(sum(case when roles.role = 'counted' then kinds.behind_above_zero end), 0) as above_zero,
        min(case when roles.role = 'counted' then kinds.behind_min end) as behind_min,
        max(case when roles.role = 'counted' then kinds.behind_max end) as behind_max
    from kinds
    inner join roles on kinds.domain = roles.domain and kinds.kind = roles.kind
    group by kinds.domain, kinds.site, kinds.window_start, roles.measure
),

averaged as (
    select
        *,
        in_time_sum / nullif(values_in_time, 0) as in_time_mean
    from sums
),

-- Bounds of the value that the stream may have computed, depending on which events behind the watermark it dropped. A
-- mean lies between the mean without these events and the most extreme of them.
bounded as (
    select
        windows.domain,
        windows.site,
        windows.window_start,
        measures.measure,
        measures.aggregate = 'count' as is_count,
        {{ measure_value('measures.aggregate', 'averaged') }} as batch_value,
        case measures.aggregate
            when 'count' then coalesce(averaged.counted_in_time, 0)
            when 'share' then averaged.counted_in_time / nullif(averaged.whole, 0)
            when 'sum' then averaged.value_sum - averaged.above_zero
            when 'max' then coalesce(averaged.in_time_max, averaged.behind_min)
            when 'min' then averaged.value_min
            else {{ smaller_of('averaged.in_time_mean', 'averaged.behind_min') }}
        end::float as lowest,
        case measures.aggregate
            when 'count' then coalesce(averaged.counted, 0)
            when 'share' then averaged.counted / greatest(averaged.whole_in_time, 1)
            when 'sum' then averaged.value_sum - averaged.below_zero
            when 'max' then averaged.value_max
            when 'min' then coalesce(averaged.in_time_min, averaged.behind_max)
            else {{ larger_of('averaged.in_time_mean', 'averaged.behind_max') }}
        end::float as highest,
        case measures.aggregate
            when 'count' then false
            when 'share' then coalesce(averaged.whole_in_time, 0) = 0
            else coalesce(averaged.values_in_time, 0) = 0
        end as may_be_null
    from windows
    inner join measures on windows.domain = measures.domain
    left join averaged
        on
            windows.domain = averaged.domain
            and windows.site = averaged.site
            and windows.window_start = averaged.window_start
            and measures.measure = averaged.measure
),

-- The two measures that every window has in any domain.
plain as (
    select
        domain,
        site,
        window_start,
        'events' as measure,
        true as is_count,
        events::float as batch_value,
        (events - behind)::float as lowest,
        events::float as highest,
        false as may_be_null
    from windows
    union all
    select
        domain,
        site,
        window_start,
        'late' as measure,
        true as is_count,
        late::float as batch_value,
        greatest(late - behind, 0)::float as lowest,
        late::float as highest,
        false as may_be_null
    from windows
)

select * from bounded
union all
select * from plain
