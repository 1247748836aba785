"""What a training process does with memory that it has freed."""

import platform
import subprocess
import sys

import pytest
from helpers import needed

REPEATED = """
import resource
import numpy as np
from common.processor import keep_freed_memory

keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    np.ones(2**18)
    [np.ones(2**18) for _ in range(4)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason=needed.PLATFORM)
def test_memory_that_is_freed_serves_the_next_array():
    """Five arrays of 512 pages at a time, each a hundred times: the system hands out each page once."""
    faults = subprocess.run([sys.executable, "-c", REPEATED], capture_output=True, text=True, check=True).stdout
    assert int(faults) < 2 * 5 * 512
