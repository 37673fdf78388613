"""Pipeline: wires the layers into the applications of the project.

provision      topics, schema and tables of the chosen domain
backfill       weeks of past events, loaded directly into the warehouse
retention      old events as counts and aggregates of intervals
batch_log      parameters of history, forecasts and plans, to make them again
dbt            dbt over this warehouse
power_bi       the Power BI project over this warehouse
workers        the supervised processes
telemetry      heartbeats and query progress, by the progress topic
monitoring     probes, health checks and the state that the graph shows
audit          the counts that the ledger compares
recovery       waiting until the pipeline is ready or drained
rebuild        restoring a damaged warehouse or checkpoint
planning       demand, forecasts and staffing plans
explanations   facts for explanations, and the explanations
page_data      the data of the app's pages
notebook_spark a small Spark session for a lesson
"""
