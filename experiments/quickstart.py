"""From raw text to a served model on the texts inside the package: make quickstart"""

import dataclasses
import pathlib
import subprocess
import sys
import time

import electra_tf
from electra_tf import config, files, sample_data
from electra_tf.settings import seconds_of
from experiments import job

SENTENCES = ("a warm and funny film that stays with you long after it ends .",
             "two hours of noise without a single idea .",
             "the actors are wonderful , the script is not .",
             "i would watch it again tomorrow .")


@dataclasses.dataclass(frozen=True)
class Flags:
    """Vocabulary, records, pretraining, fine-tuning, export and predictions, each on the texts inside the package."""

    output: str = config.setting("quickstart", "folder to make for everything that is written")
    vocabulary_size: int = config.setting(4096, "pieces of the vocabulary that is learned")
    pretraining_time: str = config.setting("2m", "how long the tiny model is pretrained, whatever the machine: 90s, 2m")
    epochs: float = config.setting(3.0, "passes over the sentences in each of the three fine-tunings")

    def __post_init__(self):
        seconds_of("pretraining_time", self.pretraining_time)


class Stations:
    """Tells where the job is, and keeps the seconds that each station took."""

    def __init__(self):
        self.seconds = {}

    def run(self, name, function, *arguments, **settings):
        print(f"\n== {len(self.seconds) + 1}. {name}", flush=True)
        began = time.monotonic()
        result = function(*arguments, **settings)
        self.seconds[name] = time.monotonic() - began
        return result


def pretrain(flags, folder):
    """Vocabulary, records and a short pretraining run of the tiny preset."""
    pretraining = config.with_overrides(config.preset("tiny"), [
        f"time_budget={flags.pretraining_time}", "log_steps=50", "evaluation_steps=1000", "checkpoint_steps=200",
        "optimizer.warmup_steps=50"])
    stations = Stations()
    reviews = sample_data.movie_reviews("train")
    vocabulary = stations.run(
        "Learn a WordPiece vocabulary from 1,800 movie reviews", electra_tf.Vocabulary.learn,
        electra_tf.read_corpus(reviews), size=flags.vocabulary_size)
    vocabulary.save(folder / "vocabulary")
    stations.run("Build pretraining records", electra_tf.build_pretraining_data, [reviews], vocabulary=vocabulary,
                 sequence_length=64, output=folder / "records", workers=2)
    result = stations.run("Pretrain a tiny ELECTRA", electra_tf.pretrain, pretraining, data=folder / "records",
                          output=folder / "pretraining")
    return result, stations


def tune(flags, folder, stations):
    """The three fine-tunings: name -> FineTuningResult."""
    settings = electra_tf.FineTuningConfig(epochs=flags.epochs, sequence_length=64)
    task = electra_tf.TextClassification(text_columns=("sentence",), label_column="label")
    arms = {"random weights": (folder / "pretraining", True), "pretrained here": (folder / "pretraining", False),
            "tiny_en, shipped": ("tiny_en", False)}
    sets = {name: sample_data.sentence_polarity(split) for name, split in
            (("train", "train"), ("validation", "dev"), ("test", "test"))}
    return {name: stations.run(
        f"Fine-tune on sentence polarity: {name}", electra_tf.finetune, settings, task=task, **sets,
        model=model, random_weights=is_random,
        output=folder / "tuned" / name.replace(", ", "-").replace(" ", "-"))
        for name, (model, is_random) in arms.items()}


def main(flags):
    files.require_new_or_empty(flags.output)
    folder = pathlib.Path(flags.output)
    pretraining, stations = pretrain(flags, folder)
    tuned = tune(flags, folder, stations)
    served = stations.run("Export the shipped model, tuned, as a SavedModel that takes text",
                          electra_tf.export_saved_model, tuned["tiny_en, shipped"].folder, folder / "served")
    answers = stations.run(
        "Ask it from a fresh process that has only tensorflow and tensorflow_text", subprocess.run,
        [sys.executable, pathlib.Path(__file__).with_name("ask_saved_model.py"), served, *SENTENCES],
        check=True, capture_output=True, text=True)
    print(answers.stdout)
    report(flags, folder, pretraining, tuned, stations)


def report(flags, folder, pretraining, tuned, stations):
    """Prints what was reached, how long it took and where it lies."""
    print("Sentence polarity (two classes)     validation   test   examples/s")
    for name, result in tuned.items():
        best = result.best
        print(f"  {name:<32}  {100 * best.validation['accuracy']:8.1f} % {100 * best.test['accuracy']:6.1f} % "
              f"{best.examples_per_second:9.0f}")
    print("\nSeconds")
    for name, seconds in stations.seconds.items():
        print(f"  {seconds:6.0f}  {name}")
    print("\nWritten")
    for path in sorted(folder.iterdir()):
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        print(f"  {size / 1e6:8.1f} MB  {path}")
    last = pretraining.metrics
    print(f"\nPretraining ended with generator accuracy {last['generator_accuracy']:.3f} and discriminator loss "
          f"{last['discriminator_loss']:.3f} (a constant guess has {last['constant_guess_loss']:.3f}): "
          f"{flags.pretraining_time} teach little; expect more from hours.")


if __name__ == "__main__":
    job.run_job(main, Flags)
