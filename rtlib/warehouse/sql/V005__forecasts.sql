-- What is to come and who is to be there. Times are UTC; an interval is named by its beginning.

create schema if not exists ML;
create schema if not exists OPS;

-- One row for each domain, site, model and interval that lies ahead of the newest history; site "all" is the domain.
create table if not exists ML.FORECASTS (
    domain varchar not null,
    site varchar not null,
    model varchar not null,
    made_at timestamp_ntz not null,
    interval_start timestamp_ntz not null,
    interval_minutes number(10, 0) not null,
    mean float not null,
    lower_80 float not null,
    upper_80 float not null,
    quantiles variant,
    is_champion boolean not null
);

-- One row for each domain, site and model: how it did when it was asked about earlier days.
create table if not exists ML.BACKTESTS (
    domain varchar not null,
    site varchar not null,
    model varchar not null,
    made_at timestamp_ntz not null,
    origins number(10, 0) not null,
    horizon_days number(10, 0) not null,
    mae float,
    wape float,
    mase float,
    bias float,
    coverage_80 float,
    pinball float,
    is_champion boolean not null,
    why varchar
);

-- One row for each domain, site and interval that is planned.
create table if not exists OPS.STAFFING (
    domain varchar not null,
    site varchar not null,
    interval_start timestamp_ntz not null,
    interval_minutes number(10, 0) not null,
    role varchar not null,
    quantile float not null,
    contacts float not null,
    required number(10, 0) not null,
    planned number(10, 0) not null,
    service_level float not null,
    cost float not null,
    currency varchar not null,
    made_at timestamp_ntz not null
);
