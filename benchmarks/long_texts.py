"""Reviews that are longer than the input of 128 pieces: what reading them whole is worth, on a slice of IMDB.

Each arm is tuned on the same 1,000 reviews for three epochs, which take equally many windows in all of them, and scored
on 1,000 others. One JSON file for each arm; an arm whose file is there is not run again:

    python benchmarks/long_texts.py IMDB        IMDB: folder of train.jsonl.xz and test.jsonl.xz, with text and label
"""

import itertools
import json
import lzma
import pathlib
import sys
import tempfile

import electra_tf
from electra_tf import files

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
ARMS = ("truncate", "mean", "max")
SEEDS = 2
# 32 updates, an epoch of the usual batch size, left the model at a constant answer.
CONFIG = electra_tf.FineTuningConfig(epochs=3.0, batch_size=16)


def write_rows(source, path, *, first, count):
    """Some rows of a packed file as a file of their own."""
    with lzma.open(source, "rt", encoding="utf-8", newline="\n") as lines, open(path, "w", encoding="utf-8") as file:
        file.writelines(itertools.islice(lines, first, first + count))
    return path


def measure(imdb, long_text):
    """The row of one arm."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        sets = {"train": write_rows(imdb / "train.jsonl.xz", folder / "train.jsonl", first=0, count=1000),
                "validation": write_rows(imdb / "train.jsonl.xz", folder / "validation.jsonl", first=1000, count=300),
                "test": write_rows(imdb / "test.jsonl.xz", folder / "test.jsonl", first=0, count=1000)}
        result = electra_tf.finetune(
            CONFIG, model="tiny_en", output=folder / "run", num_trials=SEEDS, **sets,
            task=electra_tf.TextClassification(("text",), "label", long_text=long_text))
    return {"what": f"IMDB, tiny_en, 128 pieces, {long_text}, test accuracy in %",
            "measured": [100 * score for score in result.scores],
            "settings": "3 epochs of 1,000 reviews, batches of 16, rate 3e-4, best epoch by validation; the test "
                        "set is capped at 1,000"}


def main(imdb):
    for long_text in ARMS:
        path = RESULTS / f"long-texts-{long_text}.json"
        if not path.is_file():
            files.write_json_atomically(path, {
                "table": "long texts", "row": measure(pathlib.Path(imdb), long_text),
                "command": "python benchmarks/long_texts.py IMDB", "machine": "2 CPU cores"})
        print(json.dumps(json.loads(path.read_text(encoding="utf-8"))["row"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
