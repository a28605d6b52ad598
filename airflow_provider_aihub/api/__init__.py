"""Where the errors were in earlier versions."""
