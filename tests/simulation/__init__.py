"""Every life of a job, simulated: the real life of a task, a platform in memory and an Airflow around it, on one clock.

``python -m tests.simulation`` runs histories and judges them; see :mod:`~.histories`.
"""
