"""Job: what two runs answered -> whether one is better, or whether that could be chance. `--help` shows the flags."""

import dataclasses

import electra_tf
from electra_tf import config, files
from experiments import job


@dataclasses.dataclass(frozen=True)
class Flags:
    """Tests whether two runs, or two tuned models, differ by more than chance on the examples that both answered.

    Prints both scores, the difference, 95 % bootstrap intervals over the examples, and the p-value of a paired
    approximate randomization test.
    """

    first: str = job.required("folder of a run (all its trials, or all its folds together), of one trial "
                              "(RUN/trials/SEED), or an output of evaluate.py; or the result.json or "
                              "predictions.jsonl in it")
    second: str = job.required("another one, on the same examples and with as many trials")
    metric: str | None = config.setting(None, "a score by which such runs can be judged (docs/honest_numbers.md), or a "
                                              "number that each prediction has; left out, that of the first run")
    output: str | None = config.setting(None, "new JSON file for the numbers")


def main(flags):
    if flags.output:
        files.require_new_file(flags.output)
    comparison = electra_tf.compare_results(flags.first, flags.second, metric=flags.metric)
    print(comparison)
    if flags.output:
        files.write_json_atomically(flags.output, comparison.numbers())


if __name__ == "__main__":
    job.run_job(main, Flags)
