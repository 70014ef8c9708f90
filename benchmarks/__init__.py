"""Who trains fastest, measured so that nobody can argue; README.md says how to run it."""
