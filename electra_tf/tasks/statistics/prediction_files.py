"""predictions.jsonl: what each trial of a run answered to each example of the reported split."""

import dataclasses
import json
import pathlib

from electra_tf.config import read_json
from electra_tf.errors import InputError
from electra_tf.tasks.statistics.trials import kept_attempts
from electra_tf.text.text_files import LineReader
from electra_tf.training.run_folder import RESULT_FILE

PREDICTIONS_FILE, TRIALS = "predictions.jsonl", "trials"
_NEEDED = ("label", "prediction")


@dataclasses.dataclass(frozen=True)
class RunPredictions:
    """What a run answered.

    Attributes:
        source: as it was named.
        trials: for each trial a list of dicts, one for each example, with "label" (the truth) and "prediction" at
            least. The folds of a cross-validation are one trial: together they answered each example once.
        result: the result.json of the run or of `evaluate`, or {} where there is none.
        folds: how many folds that one trial is made of; 0 where each trial answered all examples.
    """

    source: str
    trials: list
    result: dict
    folds: int = 0


def read_predictions(source):
    """Reads the answers of a run's trials, of one of them, or of a tuned model on other data.

    Args:
        source: folder of a run, whose trials are taken that count after restarts; folder of a trial
            (RUN/trials/SEED), in cross-validation the answers of one fold; folder that `evaluate` made; the
            result.json in any of them, which stands for its folder; or a predictions.jsonl.

    Returns:
        RunPredictions.

    Raises:
        InputError: no such file, or a line that is no such object; names file and line.

    >>> read_predictions("runs/polarity").trials[0][0]["prediction"]   # 'pos'
    """
    path = pathlib.Path(source)
    path = path.parent if path.name == RESULT_FILE else path
    if path.is_dir() and (path / TRIALS).is_dir():
        result = read_json(path / RESULT_FILE)
        seeds = [entry["seed"] for entry in kept_attempts(result["trials"])]
        trials = [_read(path / TRIALS / str(seed) / PREDICTIONS_FILE) for seed in seeds]
        # With a test set, all folds answered that.
        folds = _setting(result, "folds") if result.get("split") == "validation" else 0
        if folds:
            trials = [[line for lines in trials for line in lines]]
        return RunPredictions(str(source), trials, result, folds or 0)
    path = path / PREDICTIONS_FILE if path.is_dir() or not path.suffix else path
    beside = path.resolve().parent
    # What a trial came from stands in the run; beside its answers lies no more than its own scores.
    told = (beside.parents[1] if beside.parent.name == TRIALS else beside) / RESULT_FILE
    return RunPredictions(str(source), [_read(path)], read_json(told) if told.is_file() else {})


def _setting(result, name):
    return result.get("settings", {}).get(name)


def _read(path):
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the folder of a finished fine-tuning run or of "
                         f"evaluate.py, or a {PREDICTIONS_FILE}.")
    lines = [_line(line.text, f"{path}, line {line.number}")
             for line in LineReader(path, errors="strict", longest_line_bytes=None) if line.text.strip()]
    if not lines:
        raise InputError(f"{path} holds no predictions; give a file with one JSON object in a line.")
    return lines


def _line(text, where):
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}, column {error.colno}: not JSON ({error.msg}).") from None
    missing = [name for name in _NEEDED if not isinstance(values, dict) or name not in values]
    if missing:
        raise InputError(f"{where}: {' and '.join(map(repr, missing))} missing; expected an object with \"label\" and "
                         f"\"prediction\".")
    return values


def require_same_examples(first, second):
    """Refuses answers that cannot be paired.

    Args:
        first, second: RunPredictions.

    Raises:
        InputError: rows that were dealt into other folds, another number of trials or of lines, or a line whose "id"
            (where both have one) or "label" differs.

    >>> require_same_examples(read_predictions("runs/a"), read_predictions("runs/b"))
    """
    if (first.folds or second.folds) and first.result and second.result:
        _require_same_folds(first, second)
    if len(first.trials) != len(second.trials):
        raise InputError(f"{first.source} holds {len(first.trials)} trials and {second.source} {len(second.trials)}; "
                         f"give runs of equally many, or one trial of each: RUN/{TRIALS}/SEED.")
    truth = first.trials[0]
    for source, lines in [(run.source, lines) for run in (first, second) for lines in run.trials]:
        if len(truth) != len(lines):
            raise InputError(f"{first.source} holds {len(truth):,} predictions and {source} {len(lines):,}; give two "
                             f"runs that answered the same examples.")
        for number, (one, other) in enumerate(zip(truth, lines, strict=True), start=1):
            for name in ("id", "label"):
                if name in one and name in other and one[name] != other[name]:
                    raise InputError(f"{first.source} and {source}, prediction {number}: {name} {_short(one[name])} "
                                     f"and {_short(other[name])}; give two runs that answered the same examples in "
                                     f"the same order.")


def _require_same_folds(first, second):
    """The seed of a run decides into which fold a row goes."""
    one, other = ((run.folds, _setting(run.result, "seed")) for run in (first, second))
    if one != other:
        raise InputError(f"{first.source} holds {_dealing(*one)}, {second.source} {_dealing(*other)}; give two runs "
                         f"with the same --folds, --seed and rows, or one fold of each that is the same: "
                         f"RUN/{TRIALS}/SEED.")


def _dealing(folds, seed):
    return f"the answers of {folds} folds dealt with seed {seed}" if folds else "answers without folds"


def _short(value):
    return json.dumps(value, ensure_ascii=False)[:60]
