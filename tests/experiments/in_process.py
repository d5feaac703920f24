"""A job as from the command line, in the process of a test."""

import pytest

from experiments import job


def run(module, *flags, code=0):
    """Runs a job, which must end with this exit code.

    Args:
        module: of experiments, such as `evaluate`.
        flags: "--name=value", or what `str` makes such a flag of.
        code: 0, or 2 for a refusal.
    """
    name = module.__name__.rpartition(".")[2]
    with pytest.raises(SystemExit) as ended:
        job.run_job(module.main, module.Flags, [f"{name}.py", *map(str, flags)])
    assert ended.value.code == code
