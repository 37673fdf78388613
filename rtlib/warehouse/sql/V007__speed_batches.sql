-- What the kpis query knew, so that a count in SPEED.KPIS can be explained: for each batch and partition the records it
-- read (up to offset_to, without it) and its watermark. It dropped by that of the batch before. Times are UTC.
create table if not exists SPEED.BATCHES (
    domain varchar not null,
    batch_id number(19, 0) not null,
    began_at timestamp_ntz not null,
    kafka_partition number(10, 0) not null,
    offset_from number(19, 0) not null,
    offset_to number(19, 0) not null,
    watermark timestamp_ntz,
    state_rows number(19, 0) not null,
    dropped_late number(19, 0) not null
);
