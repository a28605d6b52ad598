"""Platforms on one's own machine: real HTTP, and jobs that really run. They import nothing of the provider."""
