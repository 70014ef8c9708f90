"""The exit codes of the command, beside 0 for success and click's 2 for wrong use."""

FAILED = 1
UNAVAILABLE = 3
DIVERGED = 4
INTERRUPTED = 130
