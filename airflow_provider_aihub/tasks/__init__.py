"""The life of a job in an Airflow task: submitted once, waited for, stopped with the task, explained."""
