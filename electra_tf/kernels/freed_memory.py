"""What TensorFlow gives back stays with the process, so that the next step has no need to ask the system for it again.

The C library returns large blocks to the system at once, which clears every page anew in each step: a twentieth to a
fifth of the time of a float32 step on two cores (benchmarks/NOTES.md).
"""

import ctypes
import functools
import os
import sys

# Of glibc's malloc.h: M_ARENA_MAX, M_MMAP_MAX and M_TRIM_THRESHOLD; -1 means never.
_ARENA_MAX, _MMAP_MAX, _TRIM_THRESHOLD = (-8, 1), (-4, 0), (-1, -1)
_SET_BY_USER = ("GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_",
                "MALLOC_TRIM_THRESHOLD_")


@functools.cache
def keep_freed_memory():
    """Tells the C library of this process to keep freed memory: in one heap, never mapped apart, never trimmed.

    Complete if called before TensorFlow's first operation; later, memory of threads that run already is still trimmed.

    Returns:
        Whether it was told: there must be a glibc, and no variable of the environment that sets any of this.

    >>> keep_freed_memory()
    """
    if not sys.platform.startswith("linux") or any(name in os.environ for name in _SET_BY_USER):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):  # musl
        return False
    return all(library.mallopt(*option) == 1 for option in (_ARENA_MAX, _MMAP_MAX, _TRIM_THRESHOLD))
