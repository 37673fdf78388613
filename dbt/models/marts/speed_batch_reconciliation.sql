with compared as (
    {{ compared_since() }}
),

-- The events were counted earlier than this query runs, and the compared period has moved on since.
batch as (
    select measured.*
    from {{ ref('int_window_measures') }} as measured
    inner join compared on measured.window_start >= compared.first_window
),

speed as (
    select kpis.*
    from {{ ref('stg_speed_kpis') }} as kpis
    inner join compared on kpis.window_start >= compared.first_window
),

streamed as (
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

-- A window may still change until both paths have read events later than its end by twice the watermark: once for late
-- events, and as much again for records on their way.
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

-- Offsets show which events are on their way: the KPI query has not reported a batch that read them, or it may have
-- counted them before the archive read them. The second holds for a KPI emitted since the newest batch began that is
-- archived completely. The reach of the archive was measured before the events of RAW were counted; so KPIs may be read
-- later than RAW. Once both layers have passed the events, a difference needs another reason.
in_flight as (
    select
        domain,
        site,
        window_start
    from {{ ref('int_kind_windows') }}
    where unreported > 0
    union distinct
    select
        speed.domain,
        speed.site,
        speed.window_start
    from speed
    left join {{ ref('int_archive_reach') }} as reach on speed.domain = reach.domain
    where reach.archived_until is null or speed.emitted_at >= reach.archived_until
),

-- A window that a layer does not have counted no events there.
held as (
    select
        coalesce(batch.domain, streamed.domain) as domain,
        coalesce(batch.site, streamed.site) as site,
        coalesce(batch.window_start, streamed.window_start) as window_start,
        coalesce(batch.measure, streamed.measure) as measure,
        case when batch.is_count then coalesce(streamed.speed_value, 0) else streamed.speed_value end as speed_value,
        case when streamed.measure in ('events', 'late') then coalesce(batch.batch_value, 0) else batch.batch_value end
            as batch_value,
        batch.lowest,
        batch.highest,
        coalesce(batch.may_be_null, false) as may_be_null
    from batch
    full outer join streamed
        on
            batch.domain = streamed.domain
            and batch.site = streamed.site
            and batch.window_start = streamed.window_start
            and batch.measure = streamed.measure
),

-- Number of later windows with events, in either layer. Windows are counted instead of minutes, because a stream that
-- was paused has skipped none.
followed as (
    select
        domain,
        window_start,
        row_number() over (partition by domain order by window_start desc) - 1 as later_windows
    from (
        select distinct
            domain,
            window_start
        from held
    ) as windows
),

judged as (
    select
        held.*,
        in_flight.window_start is not null as is_in_flight,
        reached.newest_at is null
        or dateadd(second, {{ closes_after_seconds() }}, held.window_start) > reached.newest_at as is_open,
        followed.later_windows * {{ window_seconds() }}
        < {{ closes_after_seconds() }} + 60 * {{ var('grace_minutes') }} as may_change
    from held
    inner join followed on held.domain = followed.domain and held.window_start = followed.window_start
    left join reached on held.domain = reached.domain
    left join in_flight
        on
            held.domain = in_flight.domain
            and held.site = in_flight.site
            and held.window_start = in_flight.window_start
)

select
    domain,
    site,
    window_start,
    measure,
    batch_value,
    speed_value,
    speed_value - batch_value as difference,
    case
        when {{ same('speed_value', 'batch_value') }} then 'equal'
        when is_in_flight and may_change then 'in flight'
        when is_open and may_change then 'open window'
        when is_open then 'not measured'
        when speed_value is null and may_be_null then 'late'
        when
            (speed_value > lowest or {{ same('speed_value', 'lowest') }})
            and (speed_value < highest or {{ same('speed_value', 'highest') }})
            then 'late'
        when is_in_flight then 'not measured'
        else 'unexplained'
    end as explanation
from judged
