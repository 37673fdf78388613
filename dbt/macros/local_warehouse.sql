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

{#-
  Text behind base64, null where it is not text. The stand-in does not have the careful form of this function; it can
  show bytes with all that is not plain ASCII written as \x22, of which only the quotation marks are turned back.
-#}
{% macro text_of_base64(column) -%}
    {%- if is_local() -%}
        translate(replace(try_cast(base64_decode_binary({{ column }}) as varchar), '\\x22', '"'), '\\', '')
    {%- else -%}
        try_base64_decode_string({{ column }})
    {%- endif -%}
{%- endmacro %}

{#- A moment out of text in RFC 3339, as UTC without a zone; null where it is none. -#}
{% macro moment_of_text(column) -%}
    convert_timezone('UTC', try_cast({{ column }} as timestamp_tz))::timestamp_ntz
{%- endmacro %}
