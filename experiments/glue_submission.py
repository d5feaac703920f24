"""Job: runs on GLUE -> the zip file that its leaderboard takes. `--help` shows the flags."""

import dataclasses

import electra_tf
from experiments import job


@dataclasses.dataclass(frozen=True)
class Flags:
    """Packs the predictions of fine-tuning runs (experiments/finetune.py --task=glue/NAME) for GLUE's leaderboard."""

    runs: tuple[str, ...] = job.required("folders of runs, one for each task")
    output: str = job.required("zip file to write")


def main(flags):
    missing = electra_tf.zip_submissions(flags.runs, flags.output)
    print(f"{flags.output} is written" + (f"; the leaderboard also wants {', '.join(missing)}" if missing else ""))


if __name__ == "__main__":
    job.run_job(main, Flags)
