"""The exit codes of the command, beside 0 for success and click's 2 for wrong use."""

FAILED = 1
UNAVAILABLE = 3
DIVERGED = 4
SIGNALLED = 128
"""Plus the number of the signal that ended the command: 129 SIGHUP, 130 Ctrl-C, 143 SIGTERM."""
