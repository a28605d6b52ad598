"""The life of a job in an Airflow task: submitting it once, waiting for it, stopping it with the task, failing."""
