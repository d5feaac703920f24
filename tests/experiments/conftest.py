import subprocess
import sys

import pytest


@pytest.fixture
def run(request, tmp_path):
    """Runs the job that the test file names as JOB, in the test's own folder; the finished process with its output."""
    def run_job(*flags):
        return subprocess.run([sys.executable, request.module.JOB, *flags], cwd=tmp_path, capture_output=True,
                              encoding="utf-8", check=False)
    return run_job
