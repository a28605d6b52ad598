"""Huawei Cloud ModelArts as data: its services, its dialect, its kinds of job. Nothing of Airflow."""
