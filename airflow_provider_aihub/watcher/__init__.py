"""DAGs that run when there is a new version of a dataset: what a watcher reads, tells and remembers."""
