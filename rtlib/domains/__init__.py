"""Domains: four worlds as data (TOML and JSON Schema), read into frozen records."""
