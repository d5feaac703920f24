"""Freed memory stays with the process, from the moment on in which a model class is loaded."""

import os
import subprocess
import sys

import pytest

from electra_tf.kernels.freed_memory import keep_freed_memory

COUNT_FAULTS = """
import ctypes, resource
{before}
library = ctypes.CDLL(None)
library.prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: each page of 4 KB counts, whatever the machine is set to
library.malloc.restype = library.memset.restype = ctypes.c_void_p
library.memset.argtypes, library.free.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], [ctypes.c_void_p]
for turn in range(5):
    if turn == 1:
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = library.malloc(ctypes.c_size_t(100 * 2**20))
    library.memset(block, turn, 100 * 2**20)
    library.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
"""
BLOCK_PAGES = 100 * 2**20 // 4096

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux") or not hasattr(os, "confstr")
                                or "glibc" not in os.confstr("CS_GNU_LIBC_VERSION"), reason="needs glibc")


def page_faults(before, **environment):
    """How often pages had to be cleared while 100 MB were taken and freed four times, after the first time."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    answer = subprocess.run([sys.executable, "-c", COUNT_FAULTS.format(before=before)], check=True, text=True,
                            capture_output=True, env={**kept, "TF_CPP_MIN_LOG_LEVEL": "3", **environment})
    return int(answer.stdout)


def test_a_loaded_model_class_keeps_freed_memory():
    assert page_faults("") > 3.9 * BLOCK_PAGES
    assert page_faults("from electra_tf import ElectraEncoder") < 0.1 * BLOCK_PAGES


def test_what_the_user_has_set_stays(monkeypatch):
    assert page_faults("from electra_tf import ElectraEncoder", MALLOC_ARENA_MAX="4") > 3.9 * BLOCK_PAGES
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "100000")
    assert keep_freed_memory.__wrapped__() is False
