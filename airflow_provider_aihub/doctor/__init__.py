"""Tells an administrator what the platform behind a connection is like, and what to do: ``airflow aihub check``."""
