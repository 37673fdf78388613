"""Checks: how answers are judged, a module for each kind of answer.

value     a number, a choice, a set of names (such as nodes of the graph), an order of steps, options by name
relation  a data frame, an SQL query, SQL statements that change a table
scenario  a function that is played through a situation, for example on the fake log
log       a log in this process with the interface of kafka-python, for situations that a real broker rarely has
model     a dbt model or test, built in a scratch warehouse
stream    a function from a streaming data frame to another, fed step by step
"""
