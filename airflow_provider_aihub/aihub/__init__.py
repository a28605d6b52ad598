"""AIHub as data: every endpoint as a value, with no I/O and no Airflow in it."""
