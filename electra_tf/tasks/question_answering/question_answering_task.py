"""Question answering as a fine-tuning run sees it."""

import dataclasses
import sys
import zlib

import numpy as np

from electra_tf.errors import InputError
from electra_tf.files import write_json_atomically
from electra_tf.model.precision import dtype_policy
from electra_tf.tasks.fine_tuning_task import Examples, FineTuningTask
from electra_tf.tasks.question_answering.answer_scores import (
    best_no_answer_threshold,
    middle_threshold,
    score_answers,
)
from electra_tf.tasks.question_answering.best_answers import decided
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.question_answering.question_files import read_questions
from electra_tf.tasks.report.coloured_texts import coloured_answers

OFFICIAL_FILE = "predictions.json"
_ALWAYS_ANSWER = 1.0


class QuestionAnsweringTask(FineTuningTask):
    """Answers to questions as pieces of a text; options: QuestionAnswering.

    Where some questions have no answer, the probability above which "there is none" is the answer is chosen on the
    validation set when training is over. The validation set's own scores take, for the questions of each half of its
    contexts, the threshold that is best for the other half, so that no reported number has chosen its own threshold.
    """

    metrics = ("f1", "exact_match")

    def read(self, source):
        rows = read_questions(source, wrong_answers=self.options.wrong_answers)
        unanswered = next((question for question in rows.questions if question.gold_texts is None), None)
        if unanswered is not None:
            raise InputError(f"{source}: question {unanswered.id!r} has no list of answers; questions to train or "
                             f"score on need one, empty where the context holds no answer.")
        warning = rows.counts.warning(rows.source)
        if warning:
            print(f"WARNING: {warning}", file=sys.stderr)
        return rows

    def new_model(self, folder, *, train, config, load_weights):
        if not any(question.answers for question in train.questions):
            raise InputError(f"{train.source} holds no answer that stands in its context; there is nothing to learn.")
        model = ElectraQuestionAnswerer.from_preset(
            folder, sequence_length=config.sequence_length, dropout=config.dropout, load_weights=load_weights,
            dtype=dtype_policy(config.precision),
            **dataclasses.asdict(self.options))
        self.unsettle(model)  # an earlier task's threshold says nothing of this one
        return model

    def load_model(self, folder):
        return ElectraQuestionAnswerer.from_preset(folder)

    def examples(self, model, rows):
        questions = rows.questions
        windows = model.encode(_texts(rows))
        first_answers = [question.answers[0] if question.answers else None for question in questions]
        labels = model.labels_of(windows, first_answers,
                                 is_impossible=[question.is_impossible for question in questions])
        return Examples(windows, labels, rows)

    def scores(self, model, examples):
        answers = model.predict_encoded(examples.texts, verbose=0)
        questions = examples.rows.questions
        return self._scores(questions, answers, self._threshold(model, questions, answers))

    def unsettle(self, model):
        model.no_answer_threshold = None

    def settle(self, model, examples):
        """Chooses the probability above which there is taken to be no answer."""
        questions = examples.rows.questions
        model.no_answer_threshold = _ALWAYS_ANSWER
        if _some_have_no_answer(questions):
            answers = model.predict_encoded(examples.texts, verbose=0)
            model.no_answer_threshold = self._best_threshold(questions, answers)

    def constant_guess_loss(self, examples):
        """Loss of a model that knows the shares of the labels and the length of the context, and nothing else."""
        starts = examples.labels["start"]
        teaches = starts >= 0
        room = examples.texts.lengths - examples.texts.first_places  # places in the context, its last [SEP] too
        is_elsewhere = starts[teaches] > 0
        of_a_place = _entropy(is_elsewhere.mean()) + (is_elsewhere * np.log(room[teaches])).mean()
        if self.options.answerability == "none":
            return float(of_a_place)
        return float(of_a_place + 0.5 * _entropy(examples.labels["impossible"][teaches].mean()))

    def majority_level(self, examples, metric):
        """The score of answering nothing."""
        questions = examples.rows.questions
        return float(np.mean([question.is_impossible for question in questions])) or None

    def predictions(self, model, rows):
        answers = model.predict(_texts(rows), verbose=0)
        thresholds = np.broadcast_to(self._threshold(model, rows.questions, answers), len(answers))
        answers = [decided(answer.n_best, answer.no_answer_probability, threshold=threshold)
                   for answer, threshold in zip(answers, thresholds, strict=True)]
        texts = [answer.text for answer in answers]
        scores = score_answers(texts, [question.gold_texts for question in rows.questions],
                               scorer=self._scorer(rows.questions))
        for question, answer, exact, f1 in zip(rows.questions, answers, scores.exact, scores.f1, strict=True):
            values = dataclasses.asdict(answer)
            yield {"id": question.id, "question": question.question, "context": question.context,
                   "label": list(question.gold_texts), "prediction": values.pop("text"), "exact_match": float(exact),
                   "f1": float(f1), **_rounded(values), "best_text": answer.best_text}

    def coloured_texts(self, model, predictions):
        return coloured_answers(model, predictions)

    def write_official_predictions(self, folder, predictions):
        """predictions.json as the official scripts read it: {id: text}, "" where there is taken to be no answer."""
        write_json_atomically(folder / OFFICIAL_FILE, {line["id"]: line["prediction"] for line in predictions})

    def _scorer(self, questions):
        if self.options.answer_scorer == "squad":
            return "squad2" if _some_have_no_answer(questions) else "squad1"
        return self.options.answer_scorer

    def _scores(self, questions, answers, threshold):
        return score_answers([answer.best_text for answer in answers], [question.gold_texts for question in questions],
                             scorer=self._scorer(questions), no_answer_threshold=threshold,
                             no_answer_probabilities=[answer.no_answer_probability for answer in answers])

    def _threshold(self, model, questions, answers):
        """The model's; where it has none, for each question that of the other half, float [questions]."""
        if model.no_answer_threshold is not None:
            return model.no_answer_threshold
        return self._threshold_of_other_half(questions, answers)

    def _best_threshold(self, questions, answers):
        if not _some_have_no_answer(questions):
            return _ALWAYS_ANSWER
        raw = self._scores(questions, answers, _ALWAYS_ANSWER)
        probabilities = [answer.no_answer_probability for answer in answers]
        _, threshold = best_no_answer_threshold(raw.f1, raw.texts, raw.has_answer, probabilities)
        return middle_threshold(threshold, probabilities)

    def _threshold_of_other_half(self, questions, answers):
        """float or float [questions]; all questions on one context are of the same half."""
        if not _some_have_no_answer(questions):
            return _ALWAYS_ANSWER
        half = np.array([zlib.crc32(question.context.encode("utf-8")) % 2 for question in questions])
        if not 0 < half.sum() < len(half):  # a single context, say
            half = np.arange(len(questions)) % 2
        thresholds = np.zeros(len(questions))
        for one in (0, 1):
            others = np.flatnonzero(half != one)
            thresholds[half == one] = self._best_threshold([questions[place] for place in others],
                                                           [answers[place] for place in others])
        return thresholds


def _texts(rows):
    return [question.question for question in rows.questions], [question.context for question in rows.questions]


def _some_have_no_answer(questions):
    return any(question.is_impossible for question in questions)


def _entropy(share):
    """Of a coin, in nats."""
    return -sum(one * np.log(one) for one in (share, 1 - share) if one > 0)


def _rounded(values):
    """Numbers of a nested dictionary, short enough to be written thousands of times."""
    if isinstance(values, dict):
        return {name: _rounded(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_rounded(value) for value in values]
    return round(values, 6) if isinstance(values, float) else values
