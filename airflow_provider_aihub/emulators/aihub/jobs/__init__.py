"""The work behind the API: commands, searches, dataset versions and workflow runs that really happen."""
