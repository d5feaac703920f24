"""log.jsonl: every record of a run, over all its starts, and the history that counts."""

import json
import os
import pathlib

LOG_FILE = "log.jsonl"


class LogFile:
    """Appends records to a run's log.jsonl, one JSON object in a line.

    Args:
        folder: the run folder.

    >>> LogFile("runs/small")({"event": "train", "step": 100, "generator_loss": 7.1})
    """

    def __init__(self, folder):
        self._path = pathlib.Path(folder) / LOG_FILE
        _cut_after_last_whole_line(self._path)

    def __call__(self, record):
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")


def read_log(folder):
    """All records of a run in the order they were written; a line that a kill cut short is left out.

    >>> [record["resumed_step"] for record in read_log("runs/small") if record["event"] == "start"]   # [0, 1000]
    """
    path = pathlib.Path(folder) / LOG_FILE
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_bytes().decode("utf-8").split("\n")[:-1]]


def history(records):
    """The records of the steps that led to the present weights: what a kill undid is left out.

    Args:
        records: as `read_log` gives them.

    Returns:
        List of records with steps that never fall.

    >>> history([{"event": "train", "step": 9}, {"event": "start", "step": 5}])   # [{"event": "start", "step": 5}]
    """
    kept = []
    for record in records:
        if record["event"] == "start":
            kept = [earlier for earlier in kept if earlier["step"] <= record["step"]]
        kept.append(record)
    return kept


def _cut_after_last_whole_line(path):
    """A killed process may have left the beginning of a line; the next record must not be glued to it."""
    if path.is_file():
        whole = path.read_bytes().rfind(b"\n") + 1
        if whole < path.stat().st_size:
            os.truncate(path, whole)
