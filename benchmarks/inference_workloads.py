"""What inference.py measures, as data that both sides read: token ids, or raw texts, and how many of them at once."""

import dataclasses
import itertools
import json
import pathlib
import time

INPUTS_FILE = "inputs.json"
LENGTH = 128  # pieces of the rows of ids, and of a text at most


@dataclasses.dataclass(frozen=True)
class Workload:
    """One thing that is asked again and again.

    Attributes:
        name: in requests and answers.
        told: in the table.
        inputs: the key in INPUTS_FILE; "ids" go to the discriminator, texts to the classifier.
        batch_size: how many at once.
    """

    name: str
    told: str
    inputs: str
    batch_size: int

    @property
    def is_text(self):
        return self.inputs != "ids"


WORKLOADS = {workload.name: workload for workload in (
    Workload("ids_1", f"discriminator, {LENGTH} tokens", "ids", 1),
    Workload("ids_32", f"discriminator, 32 x {LENGTH} tokens", "ids", 32),
    Workload("sentence", "a sentence to its label", "sentences", 1),
    Workload("sentences", "32 sentences to labels", "sentences", 32),
    Workload("review", "a long review to its label", "reviews", 1),
    Workload("reviews", "32 long reviews to labels", "reviews", 32))}


def inputs_of(folder):
    """Dict of lists: ids, sentences, reviews."""
    return json.loads((pathlib.Path(folder) / INPUTS_FILE).read_text(encoding="utf-8"))


def batches_of(workload, inputs):
    """The inputs of a workload in batches of its size."""
    rows = inputs[workload.inputs]
    return [rows[start:start + workload.batch_size]
            for start in range(0, len(rows) - workload.batch_size + 1, workload.batch_size)]


def seconds_of_calls(answer, batches, calls):
    """Seconds of each call of a function, over batches in their order, again and again."""
    seconds = []
    for batch in itertools.islice(itertools.cycle(batches), calls):
        began = time.perf_counter()
        answer(batch)
        seconds.append(time.perf_counter() - began)
    return seconds
