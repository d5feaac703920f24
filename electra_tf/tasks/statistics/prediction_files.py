"""predictions.jsonl: what a run answered to each example of its reported split."""

import json
import pathlib

from electra_tf.config import read_json
from electra_tf.errors import InputError
from electra_tf.text.text_files import LineReader
from electra_tf.training.run_folder import RESULT_FILE

PREDICTIONS_FILE = "predictions.jsonl"
_NEEDED = ("label", "prediction")


def read_predictions(run):
    """Reads the answers of a run.

    Args:
        run: run folder, or the file itself.

    Returns:
        (lines, result): a list of dicts, one for each example, with "label" (the truth) and "prediction" at least, and
        the run's result.json as a dict ({} where a file alone was given and no result.json lies beside it).

    Raises:
        InputError: no such file, or a line that is no such object; names file and line.

    >>> read_predictions("runs/polarity")[0][0]["prediction"]   # 'pos'
    """
    path = pathlib.Path(run)
    if path.is_dir():
        path = path / PREDICTIONS_FILE
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the folder of a finished fine-tuning run or its "
                         f"{PREDICTIONS_FILE}.")
    lines = [_line(line.text, f"{path}, line {line.number}")
             for line in LineReader(path, errors="strict", longest_line_bytes=None) if line.text.strip()]
    if not lines:
        raise InputError(f"{path} holds no predictions; give a file with one JSON object in a line.")
    beside = path.parent / RESULT_FILE
    return lines, read_json(beside) if beside.is_file() else {}


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


def require_same_examples(first, second, *, names):
    """Refuses answers to different examples.

    Args:
        first, second: lists of dicts, as `read_predictions` returns them.
        names: what to call the two, for the error.

    Raises:
        InputError: another number of lines, or a line whose "id" (where both have one) or "label" differs.

    >>> require_same_examples([{"label": "pos"}], [{"label": "pos"}], names=("runs/a", "runs/b"))
    """
    if len(first) != len(second):
        raise InputError(f"{names[0]} holds {len(first):,} predictions and {names[1]} {len(second):,}; give two runs "
                         f"that answered the same examples.")
    for number, (one, other) in enumerate(zip(first, second, strict=True), start=1):
        for name in ("id", "label"):
            if name in one and name in other and one[name] != other[name]:
                raise InputError(f"{names[0]} and {names[1]}, prediction {number}: {name} {_short(one[name])} and "
                                 f"{_short(other[name])}; give two runs that answered the same examples in the same "
                                 f"order.")


def _short(value):
    return json.dumps(value, ensure_ascii=False)[:60]
