with holidays as (
    select * from {{ ref('holidays') }}
),

countries as (
    select distinct country from {{ ref('sites') }}
),

reach as (
    select
        date_trunc('year', min(holiday_date))::date as first_day,
        date_trunc('year', dateadd(year, 1, max(holiday_date)))::date as day_after
    from holidays
),

numbers as (
    select row_number() over (order by seq4()) - 1 as place
    from table(generator(rowcount => 3700))
),

days as (
    select dateadd(day, numbers.place, reach.first_day)::date as calendar_date
    from numbers
    cross join reach
    where dateadd(day, numbers.place, reach.first_day) < reach.day_after
)

select
    countries.country,
    days.calendar_date,
    dayofweekiso(days.calendar_date)::number(2, 0) as weekday,
    dayofweekiso(days.calendar_date) >= 6 as is_weekend,
    holidays.holiday is not null as is_holiday,
    holidays.holiday
from days
cross join countries
left join holidays on countries.country = holidays.country and days.calendar_date = holidays.holiday_date
