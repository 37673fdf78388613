-- Events that are older than the raw retention, and loaded history: counts and aggregates by site, kind and interval. An
-- event is in RAW.EVENTS or in a row here, never in both.
create table if not exists RAW.ROLLUPS (
    domain varchar not null,
    site varchar not null,
    kind varchar not null,
    interval_start timestamp_ntz not null,
    events number(19, 0) not null,
    live_events number(19, 0) not null,
    values_counted number(19, 0) not null,
    value_sum float,
    value_min float,
    value_max float,
    loaded_at timestamp_ntz not null
);

-- The sequences of each producer's events that were rolled up, so that a copy of such an event is still recognised.
create table if not exists RAW.ROLLED_SEQUENCES (
    domain varchar not null,
    producer_id varchar not null,
    first_sequence number(19, 0) not null,
    last_sequence number(19, 0) not null,
    rolled_at timestamp_ntz not null
);

-- One row for each run that rolled up events, written in its transaction.
create table if not exists RAW.RETENTION (
    domain varchar not null,
    rolled_until timestamp_ntz not null,
    events number(19, 0) not null,
    rolled_at timestamp_ntz not null
);
