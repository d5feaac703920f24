"""A test module that needs a process of its own, because devices are divided before TensorFlow starts."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run_module(module, folder):
    """Runs `python -m module folder` on the CPU; fails with the end of what it said where it fails."""
    done = subprocess.run([sys.executable, "-m", module, str(folder)], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
