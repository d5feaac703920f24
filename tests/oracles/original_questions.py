"""The original's features and answers for one paragraph and nine questions, under two settings."""

import json

from electra_tf.tasks.question_answering.windows import encode_windows
from electra_tf.text.tokenizer import Tokenizer
from electra_tf.text.vocabulary import Vocabulary
from tests.oracles.shared import shared_path

TASKS = ("squad", "squadv1")


class OriginalQuestions:
    """One setting.

    Args:
        task: "squad" or "squadv1".

    Attributes:
        values: what the file says about the setting: config, train, eval, raw_results, expected_...
        questions: id -> the question of the file.
        context: str.
    """

    def __init__(self, task):
        content = json.loads(shared_path("oracles/original/featurize.json").read_text(encoding="utf-8"))["qa"]
        self.values = content["tasks"][task]
        self.config = self.values["config"]
        self.questions = {question["id"]: question for question in content["paragraph"]["qas"]}
        self.context = content["paragraph"]["context"]
        pieces = shared_path("oracles/original/vocab_5k.txt").read_text(encoding="utf-8").split("\n")
        self._tokenizer = Tokenizer(Vocabulary(tuple(filter(None, pieces))))

    def windows(self, ids):
        """EncodedWindows of some questions under the setting's lengths."""
        return encode_windows(
            self._tokenizer, [self.questions[one]["question"] for one in ids], [self.context] * len(ids),
            sequence_length=self.config["max_seq_length"], max_question_length=self.config["max_query_length"],
            stride=self.config["doc_stride"])
