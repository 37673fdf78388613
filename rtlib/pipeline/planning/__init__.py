"""Planning: from demand through forecasts to staffing plans."""
