-- When a row became readable, so that its age can be told without its batch.
alter table RAW.EVENTS add column if not exists loaded_at timestamp_ntz;
alter table RAW.REJECTED add column if not exists loaded_at timestamp_ntz;
