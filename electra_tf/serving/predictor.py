"""Answers for a user's texts from whatever kind of model a folder holds."""

import pathlib

from electra_tf.errors import InputError
from electra_tf.model.model_folder import load_model_folder
from electra_tf.serving.text_models import ExportedTextModel, KerasTextModel, is_export
from electra_tf.serving.word_networks import MaskFiller, ReplacedWordFinder
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.task_models import TEXT_MODELS
from electra_tf.text.vocabulary import MASK


class Predictor:
    """Classifies or scores texts (a tuned model or its SavedModel), tags their words or answers questions by a piece of
    a text (tuned models), fills [MASK] (a generator), or judges which words were replaced (a discriminator); a
    pretraining run holds the last two and uses the generator where a text has a [MASK].

    Args:
        model: run folder, model folder, folder of an exported SavedModel, or a shipped name.
        sequence_length: longest input in pieces for generator and discriminator; a tuned model has its own.
        top_k: candidates for each [MASK].

    Attributes:
        takes_pairs: whether each text is a pair: (first, second), or (question, context).

    Raises:
        InputError: there is no such model.

    >>> Predictor("runs/polarity").predict(["a fine film"])[0].label   # 'pos'
    """

    def __init__(self, model, *, sequence_length=128, top_k=5):
        self.takes_pairs = False
        folder = pathlib.Path(model)
        if is_export(folder):
            self._answer = ExportedTextModel(folder)
            self.takes_pairs = self._answer.takes_pairs
            return
        if all((folder / kind / "config.json").is_file() for kind in ("generator", "discriminator")):
            fill = MaskFiller(folder / "generator", sequence_length=sequence_length, top_k=top_k)
            find = ReplacedWordFinder(folder / "discriminator", sequence_length=sequence_length)
            self._answer = lambda texts: _fill_or_find(texts, fill, find)
            return
        folder = model_folder_of(folder)
        kind = load_model_folder(folder).kind
        if kind in TEXT_MODELS:
            self._answer = KerasTextModel(folder)
            self.takes_pairs = self._answer.takes_pairs
        elif kind == ElectraTokenClassifier.KIND:
            self._answer = ElectraTokenClassifier.from_preset(folder).predict
        elif kind == ElectraQuestionAnswerer.KIND:
            answerer = ElectraQuestionAnswerer.from_preset(folder)
            self._answer = lambda pairs: answerer.predict(pairs, verbose=0)
            self.takes_pairs = True
        elif kind == "generator":
            self._answer = MaskFiller(folder, sequence_length=sequence_length, top_k=top_k)
        elif kind == "discriminator":
            self._answer = ReplacedWordFinder(folder, sequence_length=sequence_length)
        else:
            raise InputError(f"{model} holds a model of kind {kind!r}, which answers nothing by itself; fine-tune it "
                             f"first.")

    def predict(self, texts):
        """Answers texts.

        Args:
            texts: list of str; of pairs (first, second) where `takes_pairs`.

        Returns:
            List of Classification, LabelSet, Score, TaggedText, QuestionAnswer, FilledMasks or JudgedWords, one for
            each text.

        >>> Predictor("runs/small/generator").predict(["a [MASK] film"])[0].masks[0][0].piece   # 'good'
        """
        texts = list(texts)
        return self._answer(texts) if texts else []


def _fill_or_find(texts, fill, find):
    filled = iter(fill([text for text in texts if MASK in text]))
    judged = iter(find([text for text in texts if MASK not in text]))
    return [next(filled if MASK in text else judged) for text in texts]
