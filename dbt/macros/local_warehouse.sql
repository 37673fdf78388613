{#-
  Differences between Snowflake and the local warehouse. No statement for Snowflake changes here, and models do not depend
  on the target: every difference is in this file.
-#}

{% macro is_local() -%}
    {{ return(target.account == "fakesnow") }}
{%- endmacro %}

{#- The local warehouse has no temporary tables in a schema. dbt drops its intermediate tables in any case. -#}
{% macro create_table_as(temporary, relation, compiled_code, language="sql") -%}
    {{ adapter.dispatch("create_table_as", "dbt")(temporary and not is_local(), relation, compiled_code, language) }}
{%- endmacro %}
