"""The work behind the API: training jobs and steps of workflows that really run, notebooks that change their states."""
