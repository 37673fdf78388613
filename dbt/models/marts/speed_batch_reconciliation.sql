with batch as (
    select * from {{ ref('int_window_measures') }}
),

compared as (
    {{ compared_since() }}
),

speed as (
    select kpis.*
    from {{ ref('stg_speed_kpis') }} as kpis
    inner join compared on kpis.window_start >= compared.first_window
),

told as (
    select
        speed.domain,
        speed.site,
        speed.window_start,
        lower(each.key) as measure,
        each.value::float as speed_value
    from speed, lateral flatten(input => speed.measures) as each -- noqa: AL05, RF01
    union all
    select
        domain,
        site,
        window_start,
        'events' as measure,
        events::float as speed_value
    from speed
    union all
    select
        domain,
        site,
        window_start,
        'late' as measure,
        late::float as speed_value
    from speed
),

-- Both paths have to have seen events later than the window by more than the watermark, and as much again for what is
-- on its way: until then the window may still change in one of them.
reached as (
    select
        domain,
        min(newest_at) as newest_at
    from (
        select
            domain,
            max(newest_occurred_at) as newest_at
        from {{ ref('int_kind_windows') }}
        group by domain
        union all
        select
            domain,
            max(last_event_at) as newest_at
        from speed
        group by domain
    )
    group by domain
    having count(*) = 2
),

-- The stream tells what a batch read when the batch is over.
untold as (
    select
        domain,
        site,
        window_start
    from {{ ref('int_kind_windows') }}
    where untold > 0
    group by domain, site, window_start
),

refused as (
    select
        domain,
        site,
        {{ window_of('occurred_at') }} as window_start,
        count(*) as records
    from {{ ref('stg_rejected') }}
    where site is not null and occurred_at is not null
    group by domain, site, {{ window_of('occurred_at') }}
),

surplus as (
    select
        told.domain,
        told.site,
        told.window_start,
        refused.records
    from told
    inner join refused
        on told.domain = refused.domain and told.site = refused.site and told.window_start = refused.window_start
    left join batch
        on
            told.domain = batch.domain
            and told.site = batch.site
            and told.window_start = batch.window_start
            and told.measure = batch.measure
    where
        told.measure = 'events'
        and told.speed_value > coalesce(batch.batch_value, 0)
        and told.speed_value <= coalesce(batch.batch_value, 0) + refused.records
),

-- A window that one of the two has not got has counted nothing there.
held as (
    select
        coalesce(batch.domain, told.domain) as domain,
        coalesce(batch.site, told.site) as site,
        coalesce(batch.window_start, told.window_start) as window_start,
        coalesce(batch.measure, told.measure) as measure,
        case when batch.is_count then coalesce(told.speed_value, 0) else told.speed_value end as speed_value,
        case when told.measure in ('events', 'late') then coalesce(batch.batch_value, 0) else batch.batch_value end
            as batch_value,
        batch.lowest,
        batch.highest,
        coalesce(batch.may_be_null, false) as may_be_null
    from batch
    full outer join told
        on
            batch.domain = told.domain
            and batch.site = told.site
            and batch.window_start = told.window_start
            and batch.measure = told.measure
)

select
    held.domain,
    held.site,
    held.window_start,
    held.measure,
    held.batch_value,
    held.speed_value,
    held.speed_value - held.batch_value as difference,
    case
        when {{ same('held.speed_value', 'held.batch_value') }} then 'equal'
        when
            reached.newest_at is null
            or untold.window_start is not null
            or dateadd(second, {{ var('window_seconds') + 2 * var('watermark_seconds') }}, held.window_start)
            > reached.newest_at
            then 'open window'
        when held.speed_value is null and held.may_be_null then 'late'
        when
            (held.speed_value > held.lowest or {{ same('held.speed_value', 'held.lowest') }})
            and (held.speed_value < held.highest or {{ same('held.speed_value', 'held.highest') }})
            then 'late'
        when surplus.records is not null then 'rejected'
        else 'unexplained'
    end as explanation
from held
left join reached on held.domain = reached.domain
left join surplus
    on held.domain = surplus.domain and held.site = surplus.site and held.window_start = surplus.window_start
left join untold
    on held.domain = untold.domain and held.site = untold.site and held.window_start = untold.window_start
