"""Warehouse: Snowflake, or fakesnow over DuckDB on a laptop, by the same connector."""
