"""The way from questions and contexts to answers, whatever computes the network in the middle."""

import dataclasses

from electra_tf.tasks.question_answering.best_answers import best_answers
from electra_tf.tasks.question_answering.options import QuestionAnswering
from electra_tf.tasks.question_answering.windows import encode_windows
from electra_tf.tasks.text_batches import text_columns
from electra_tf.text.tokenizer import Tokenizer

_EVEN_ODDS = 0.5


@dataclasses.dataclass(frozen=True)
class QuestionReader:
    """Windows over contexts before the network, the best answers after it.

    Attributes:
        tokenizer: Tokenizer.
        sequence_length: pieces of a row, question and window together.
        options: QuestionAnswering.
        no_answer_threshold: as for ElectraQuestionAnswerer.

    >>> windows = reader.encode((["Who came?"], ["Ann came late."]))
    >>> reader.answers(windows, beams_of(windows))[0].text   # 'Ann'
    """

    tokenizer: Tokenizer
    sequence_length: int
    options: QuestionAnswering
    no_answer_threshold: float | None

    def encode(self, x):
        """EncodedWindows of (questions, contexts), or of a list of (question, context)."""
        questions, contexts = (list(map(_decoded, column)) for column in text_columns(x, pairs=True))
        return encode_windows(self.tokenizer, questions, contexts, stride=self.options.stride,
                              sequence_length=self.sequence_length,
                              max_question_length=self.options.max_question_length)

    def answers(self, windows, beams):
        """List of QuestionAnswer.

        Args:
            windows: EncodedWindows.
            beams: SpanBeam of numpy arrays, one row for each window.
        """
        threshold = _EVEN_ODDS if self.no_answer_threshold is None else self.no_answer_threshold
        return best_answers(beams, windows, has_classifier=self.options.answerability != "none",
                            no_answer_threshold=threshold, n_best=self.options.n_best,
                            max_answer_length=self.options.max_answer_length)


def _decoded(text):
    return text.decode("utf-8", errors="ignore") if isinstance(text, bytes) else text
