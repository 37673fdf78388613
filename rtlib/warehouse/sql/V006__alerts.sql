-- Who was called, and whether the call arrived. Times are UTC.

create schema if not exists OPS;

-- One row for each message: an alert that was raised, or that is over. It is written before it is sent.
create table if not exists OPS.ALERTS (
    alert_key varchar not null,
    domain varchar not null,
    site varchar not null,
    rule varchar not null,
    severity varchar not null,
    change varchar not null,
    title varchar not null,
    value float not null,
    unit varchar not null,
    threshold float not null,
    began_at timestamp_ntz not null,
    raised_at timestamp_ntz not null,
    judged_at timestamp_ntz not null,
    evidence variant,
    card varchar not null,
    status varchar not null,
    attempts number(10, 0) not null,
    reason varchar not null,
    delivered_at timestamp_ntz,
    acknowledged_at timestamp_ntz
);

-- Where the alerting service goes on after a crash, one row a domain.
create table if not exists OPS.ALERT_MEMORY (
    domain varchar not null,
    memory varchar not null,
    saved_at timestamp_ntz not null
);

-- Rules that call nobody until some moment.
create table if not exists OPS.ALERT_MUTES (
    domain varchar not null,
    site varchar not null,
    rule varchar not null,
    muted_until timestamp_ntz not null
);
