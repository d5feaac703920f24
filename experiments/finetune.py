"""Job: a pretrained model and labelled texts -> a tuned model and its scores. `--help` shows the flags."""

import dataclasses

import electra_tf
from electra_tf import config
from experiments import job


def _named(recipe):
    return config.with_recipe(config.FineTuningConfig(), recipe)


@dataclasses.dataclass(frozen=True)
class Flags:
    """Tunes a pretrained model on labelled texts and keeps the weights that score best on the validation set.

    Labelled sets are .tsv, .csv or .jsonl files (.gz and .xz are unpacked), or tfds:NAME@SPLIT, a set of
    tensorflow-datasets. The output holds `model`, a model folder for export and prediction, and result.json.
    """

    train: str = job.required("labelled set to train on")
    validation: str = job.required("labelled set that chooses the best weights")
    text_columns: tuple[str, ...] = job.required("column of the texts, or two for pairs: sentence1,sentence2; numbers "
                                                 "(0, -1) for a file without a line of names")
    label_column: str = job.required("column of the labels")
    model: str = job.required("model folder, of ours or another program, folder of a run, or a shipped name: tiny_en")
    output: str = job.required("folder of the run")
    task: str = config.setting("text_classification", "text_classification: one label for a text or a pair of texts")
    test: str | None = config.setting(None, "labelled set that is scored once, with the best weights")
    metric: str = config.setting("accuracy", "score that chooses the best weights: accuracy, macro_f1 or matthews")
    random_weights: bool = config.setting(False, "take architecture and vocabulary of --model, but no weights: the "
                                                 "baseline without pretraining")
    recipe: str = config.setting("ours", "ours, paper or original: what to do where the three differ (docs/recipes.md)")
    settings: config.FineTuningConfig = job.settings_from("recipe", named=_named)


def main(flags):
    result = electra_tf.finetune(
        flags.settings, task=flags.task, train=flags.train, validation=flags.validation, test=flags.test,
        text_columns=flags.text_columns, label_column=flags.label_column, model=flags.model, output=flags.output,
        metric=flags.metric, random_weights=flags.random_weights)
    for split, scores in (("validation", result.validation), ("test", result.test)):
        if scores is not None:
            print(f"{split}: " + ", ".join(f"{name} {value:.4f}" for name, value in scores.numbers().items()))
    print(f"the tuned model is {result.folder / 'model'}")


if __name__ == "__main__":
    job.run_job(main, Flags)
