-- The runs of the batch jobs: history, dbt, forecast, plan, report, retention. Times are UTC.

create schema if not exists OPS;

create table if not exists OPS.RUNS (
    run_id varchar not null,
    domain varchar not null,
    job varchar not null,
    reason varchar not null,
    began_at timestamp_ntz not null,
    ended_at timestamp_ntz,
    row_count number(19, 0),
    outcome varchar not null,
    error varchar
);
