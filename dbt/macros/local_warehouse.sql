{#-
  Where the local stand-in for Snowflake takes other words. Nothing here changes what Snowflake is asked, and no model
  needs to know: a difference between the two is told here or nowhere.
-#}

{% macro is_local() -%}
    {{ return(target.account == "fakesnow") }}
{%- endmacro %}

{#- It has no temporary tables with a schema before their name. dbt drops what it makes for a moment anyway. -#}
{% macro create_table_as(temporary, relation, compiled_code, language="sql") -%}
    {{ adapter.dispatch("create_table_as", "dbt")(temporary and not is_local(), relation, compiled_code, language) }}
{%- endmacro %}
