"""What pretraining is worth on sentence polarity: a shipped model against random weights of the same architecture.

Both arms get the same learning rates, epochs and selection (best validation evaluation of each run); the rate of an
arm is the one with the best mean validation accuracy, and its test accuracies are reported. One JSON file for each
trial; trials that are there already are not run again, so the queue can be stopped and started at any time:

    python benchmarks/tiny_en_polarity.py [MODEL]        MODEL: a model folder; tiny_en if left out
"""

import dataclasses
import json
import pathlib
import statistics
import sys
import tempfile

import electra_tf
from electra_tf import files, sample_data
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.options import TextClassification

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
ARMS = {"pretrained": False, "random weights": True}
LEARNING_RATES = (3e-4, 6e-4)  # at 1.2e-3 random weights died
SEEDS = (0, 1, 2)


@dataclasses.dataclass(frozen=True)
class Trial:
    """One fine-tuning run of the queue."""

    arm: str
    learning_rate: float
    seed: int

    def path(self, model):
        name = f"{pathlib.Path(model).name}-{self.arm.replace(' ', '-')}-{self.learning_rate:g}-{self.seed}.json"
        return RESULTS / "trials" / "sentence_polarity" / name

    def run(self, model):
        """The trial's numbers, from its file or from a new run."""
        path = self.path(model)
        if not path.is_file():
            config = electra_tf.FineTuningConfig(learning_rate=self.learning_rate, seed=self.seed, sequence_length=64)
            with tempfile.TemporaryDirectory() as folder:
                best = finetune(config, task=TextClassification(("sentence",), "label"),
                                train=sample_data.sentence_polarity("train"),
                                validation=sample_data.sentence_polarity("dev"),
                                test=sample_data.sentence_polarity("test"), model=model,
                                output=pathlib.Path(folder) / "run", random_weights=ARMS[self.arm]).best
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_json_atomically(path, {
                **dataclasses.asdict(self), "epochs": config.epochs, "validation_accuracy": best.validation["accuracy"],
                "test_accuracy": best.test["accuracy"], "best_step": best.best_step, "is_dead": best.collapsed})
        return json.loads(path.read_text(encoding="utf-8"))


def best_rate(trials):
    """The learning rate with the highest mean validation accuracy."""
    return max(LEARNING_RATES, key=lambda rate: statistics.mean(
        trial["validation_accuracy"] for trial in trials if trial["learning_rate"] == rate))


def main(model="tiny_en"):
    for arm in ARMS:
        trials = [Trial(arm, rate, seed).run(model) for seed in SEEDS for rate in LEARNING_RATES]
        chosen = [trial for trial in trials if trial["learning_rate"] == best_rate(trials)]
        row = {"what": f"sentence polarity, {pathlib.Path(model).name}, {arm}, test accuracy in %",
               "measured": [100 * trial["test_accuracy"] for trial in chosen],
               "settings": f"rate {chosen[0]['learning_rate']:g} of {len(LEARNING_RATES)} tried, "
                           f"{chosen[0]['epochs']:g} epochs, best of the evaluations by validation"}
        files.write_json_atomically(RESULTS / f"polarity-{pathlib.Path(model).name}-{arm.replace(' ', '-')}.json", {
            "table": "results", "row": row, "command": "python benchmarks/tiny_en_polarity.py",
            "machine": "2 CPU cores", "validation": [100 * trial["validation_accuracy"] for trial in chosen]})
        print(json.dumps(row))


if __name__ == "__main__":
    main(*sys.argv[1:])
