"""Job: a pretrained model and labelled texts -> a tuned model and its scores. `--help` shows the flags."""

import dataclasses

import electra_tf
from electra_tf import config
from electra_tf.tasks.glue import GLUE, glue_data
from electra_tf.tasks.options import TASKS, Trials
from experiments import job
from experiments.task_flags import task_from, with_options, with_task_options

# Of a task of GLUE these are known.
_COLUMNS = ("text_columns", "label_column")


def _named(recipe, model, task):
    if not isinstance(model, str):  # not given, as in --help
        return config.with_recipe(config.FineTuningConfig(), recipe)
    return electra_tf.usual_settings(model, task=task, recipe=recipe)


@dataclasses.dataclass(frozen=True, kw_only=True)
class JobFlags(Trials):
    """Tunes a pretrained model on labelled texts and keeps the weights that score best on the validation set.

    Labelled sets are .tsv, .csv or .jsonl files (.gz and .xz are unpacked), or tfds:NAME@SPLIT, a set of
    tensorflow-datasets; for question_answering .json files as SQuAD's and CMRC 2018's. The output holds `model`, a
    model folder for export and prediction, result.json, and the log and the predictions of each trial.
    """

    model: str = job.required("model folder, of ours or another program, folder of a run, or a shipped name: tiny_en "
                              "or tiny_wiki_en; or a preset, such as small, which starts from random weights")
    output: str = job.required("folder of the run")
    task: str = config.setting("text_classification", f"one of {', '.join(TASKS)}, or glue/ and one of "
                                                      f"{', '.join(GLUE)}")
    train: str | None = config.setting(None, "labelled set to train on")
    validation: str | None = config.setting(None, "labelled set that chooses the best weights")
    data_dir: str | None = config.setting(None, "for glue/NAME: folder of the official files, in place of --train and "
                                                "--validation; without any, tensorflow-datasets is asked")
    test: str | None = config.setting(None, "labelled set that is scored once, with the best weights")
    metric: str | None = config.setting(None, "score that chooses the best weights; left out, the task's usual one")
    random_weights: bool = config.setting(False, "take architecture and vocabulary of --model, but no weights: the "
                                                 "baseline without pretraining")
    vocabulary: str | None = config.setting(None, "folder of a vocabulary, where --model is a preset")
    recipe: str = config.setting("ours", "ours, paper or original: what to do where the three differ (docs/recipes.md)")
    settings: config.FineTuningConfig = job.settings_from("recipe", "model", "task", named=_named)


Flags = with_task_options(JobFlags, TASKS)


def main(flags):
    data = _data(flags)
    submitted = []

    def submit(folder, model):
        submitted.extend(electra_tf.write_submission(folder, model, data))
    result = electra_tf.finetune(
        flags.settings, task=data.task, train=data.train, validation=data.validation, test=data.test,
        model=flags.model, output=flags.output, metric=flags.metric or data.metric, name=flags.task,
        random_weights=flags.random_weights, trials=_trials(flags), vocabulary=flags.vocabulary,
        write_more=submit if data.unlabelled else None)
    written = config.read_json(result.folder / "result.json")
    print(electra_tf.trials_table(written["trials"], metric=result.metric, settings_hash=written["settings_hash"]))
    for split, numbers in (("validation", result.best.validation), ("test", result.best.test)):
        if numbers is not None:
            print(f"{split}: " + ", ".join(f"{name} {value:.4f}" for name, value in numbers.items()))
    print(f"the tuned model is {result.folder / 'model'}, the report {result.folder / 'report.html'}")
    if result.ensemble:
        print(f"ensemble, {result.split}: " + ", ".join(f"{name} {value:.4f}" for name, value in
                                                        result.ensemble.items()))
    if submitted:
        print("for the leaderboard: " + ", ".join(map(str, submitted)))


def _trials(flags):
    return Trials(**{field.name: getattr(flags, field.name) for field in dataclasses.fields(Trials)})


def _data(flags):
    """GlueData, or the flags themselves with the options of their task."""
    if flags.task.startswith("glue/"):
        data = glue_data(flags.task, flags.data_dir, train=flags.train, validation=flags.validation, test=flags.test,
                         folds=bool(flags.folds))
        task = with_options(data.task, flags, TASKS, name=flags.task, known=_COLUMNS)
        return dataclasses.replace(data, task=task)
    if flags.data_dir:
        raise electra_tf.InputError(f"--data_dir says nothing to --task={flags.task}; give --train and --validation.")
    task = task_from(flags, TASKS)
    if not (flags.train and (flags.validation or flags.folds)):
        raise electra_tf.InputError("--train and --validation must be given; --help shows what each flag takes.")
    return _Files(task, flags.train, flags.validation, flags.test)


@dataclasses.dataclass(frozen=True)
class _Files:
    task: object
    train: str
    validation: str | None
    test: str | None
    metric = None
    unlabelled = ()


if __name__ == "__main__":
    job.run_job(main, Flags)
