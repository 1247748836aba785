"""Run a command and write what it cost, as JSON: ``python -S -E benchmarks/spent.py ANSWER PROGRAM ARGUMENT...``.

A small process of its own: the system counts as a command's peak also what its parent held when it began.
"""

import json
import os
import sys
import time

answer, *command = sys.argv[1:]
began = time.perf_counter()
_, status, used = os.wait4(os.posix_spawn(command[0], command, os.environ), 0)
cost = {
    "wall_s": time.perf_counter() - began,
    "cpu_s": used.ru_utime + used.ru_stime,
    "peak_mb": used.ru_maxrss * 1024 / 1e6,
}
with open(answer, "w") as file:
    json.dump(cost, file)
sys.exit(os.waitstatus_to_exitcode(status))
