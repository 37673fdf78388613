-- The history and its ledger, and the table behind live screens. Times are UTC, so TIMESTAMP_NTZ throughout.

create schema if not exists RAW;
create schema if not exists SPEED;
create schema if not exists MARTS;
create schema if not exists ML;
create schema if not exists OPS;

-- One row for each event ever accepted.
create table if not exists RAW.EVENTS (
    event_id varchar not null,
    domain varchar not null,
    site varchar not null,
    kind varchar not null,
    occurred_at timestamp_ntz not null,
    producer_id varchar not null,
    sequence number(19, 0) not null,
    value float,
    unit varchar not null,
    attributes variant,
    topic varchar not null,
    kafka_partition number(10, 0) not null,
    kafka_offset number(19, 0) not null,
    received_at timestamp_ntz not null,
    batch_id number(19, 0) not null
);

-- One row for each record that fits no schema; the bytes are in base64, untouched.
create table if not exists RAW.REJECTED (
    domain varchar not null,
    payload varchar,
    reason varchar not null,
    field varchar not null,
    topic varchar not null,
    kafka_partition number(10, 0) not null,
    kafka_offset number(19, 0) not null,
    received_at timestamp_ntz not null,
    batch_id number(19, 0) not null
);

-- The ledger: one row for each batch, written in the transaction that writes the batch's rows.
create table if not exists RAW.BATCHES (
    query varchar not null,
    domain varchar not null,
    batch_id number(19, 0) not null,
    offsets_from varchar not null,
    offsets_to varchar not null,
    rows_read number(19, 0) not null,
    rows_new number(19, 0) not null,
    rows_duplicate number(19, 0) not null,
    rows_rejected number(19, 0) not null,
    applied_at timestamp_ntz not null
);

-- One row for each site and window; the newer emitted_at wins.
create table if not exists SPEED.KPIS (
    domain varchar not null,
    site varchar not null,
    window_start timestamp_ntz not null,
    window_end timestamp_ntz not null,
    measures variant,
    events number(19, 0) not null,
    late number(19, 0) not null,
    first_event_at timestamp_ntz not null,
    last_event_at timestamp_ntz not null,
    emitted_at timestamp_ntz not null,
    loaded_at timestamp_ntz not null
);
