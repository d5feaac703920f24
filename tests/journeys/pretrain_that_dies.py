"""Run as a program: experiments/pretrain.py, killed by SIGKILL inside the writing of a checkpoint.

The first argument is a number n: at the n-th time that something of a checkpoint is flushed to disk, the process dies.
Six flushes belong to one checkpoint: state.json and its folder, both files, the folder before and its parent after the
renaming. The other arguments are the job's flags.
"""

import os
import runpy
import signal
import sys


def die_at_flush(number):
    """Replaces os.fsync by one that counts the calls on checkpoints."""
    fsync, count = os.fsync, 0

    def flush(descriptor):
        nonlocal count
        if "/checkpoints" in os.readlink(f"/proc/self/fd/{descriptor}"):
            count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)

    os.fsync = flush


if __name__ == "__main__":
    die_at_flush(int(sys.argv.pop(1)))
    sys.argv[0] = "experiments/pretrain.py"
    runpy.run_path(sys.argv[0], run_name="__main__")
