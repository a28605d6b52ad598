"""Watches datasets for new versions, for DAGs that are scheduled on them: reading, reporting, and checkpoints."""
