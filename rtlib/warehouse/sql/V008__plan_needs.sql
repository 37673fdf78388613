-- What the newest forecast needs, beside what the plan was made for (required), and the figures of the role that the plan
-- replaced, as JSON. Both are null in a plan from before.
alter table OPS.STAFFING add column if not exists needed number(10, 0);
alter table OPS.STAFFING add column if not exists assumptions variant;
