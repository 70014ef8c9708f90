"""What the command says to the shell. 0 is success, and 2, wrong use, is click's own."""

FAILED = 1
UNAVAILABLE = 3
DIVERGED = 4
INTERRUPTED = 130
