"""A peer that takes longer to be imported than anyone waits."""

import time

time.sleep(600)
