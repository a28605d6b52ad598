"""What a job on a platform is, and how it is waited for. No I/O, no Airflow."""
