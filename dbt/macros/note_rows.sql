{#-
  Counts the rows of the relations built in this run and stores the counts in the run's results. dbt itself reports no
  count for a new table, and only the affected rows for a MERGE. One query counts all relations.
-#}
{% macro note_rows(results) -%}
    {%- if execute and flags.WHICH in ("build", "run", "seed", "snapshot") -%}
        {%- set built = [] -%}
        {%- for result in results
            if result.node.resource_type in ("model", "seed", "snapshot")
            and result.status == "success"
            and result.node.config.materialized != "ephemeral" -%}
            {%- do built.append(result) -%}
        {%- endfor -%}
        {%- set counts -%}
            {%- for result in built %}
            select {{ loop.index0 }} as place, count(*) as row_count from {{ result.node.relation_name }}
            {%- if not loop.last %} union all {% endif -%}
            {%- endfor -%}
        {%- endset -%}
        {%- if built -%}
            {%- for place, row_count in run_query(counts).rows -%}
                {%- do built[place | int].adapter_response.update({"row_count": row_count | int}) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
