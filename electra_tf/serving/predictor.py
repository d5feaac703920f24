"""Answers for a user's texts from whatever kind of model a folder holds."""

import dataclasses
import pathlib

from electra_tf.errors import InputError
from electra_tf.model.model_folder import load_model_folder
from electra_tf.serving.engines import AUTO, FLOAT32, TENSORFLOW, Engine, tensorflow_engine
from electra_tf.serving.exports import is_export, read_export
from electra_tf.serving.ids_models import IDS_MODELS, ExportedIdsModel, TunedIdsModel
from electra_tf.serving.text_models import ExportedTextModel, TunedTextModel
from electra_tf.serving.word_networks import MaskFiller, ReplacedWordFinder
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.task_models import TEXT_MODELS, tuned_kind
from electra_tf.text.vocabulary import MASK


class Predictor:
    """Classifies or scores texts, tags their words, answers questions by a piece of a text or chooses an ending (tuned
    models and their SavedModels), fills [MASK] (a generator), or judges which words were replaced (a discriminator); a
    pretraining run holds the last two and uses the generator where a text has a [MASK].

    Args:
        model: run folder, model folder, folder of an exported SavedModel, or a shipped name.
        sequence_length: longest input in pieces for generator and discriminator; a tuned model has its own.
        top_k: candidates for each [MASK].
        engine: what computes the network: "tensorflow", "onnx" (ONNX Runtime) or "openvino"; "auto" takes the fastest
            that is installed. Tuned models and discriminators have the choice, generators and exports TensorFlow.
        precision: "float32", or "bfloat16", which OpenVINO has on processors made for it: faster, less exact.

    Attributes:
        takes_pairs: whether each text is a pair: (first, second), or (question, context).
        takes_choices: whether each text has endings to choose from: (text, endings).
        engine: Engine: its name, version, precision, and how far its answers were from those of Keras in float32 on
            sample inputs, which were compared when it was made.

    Raises:
        InputError: there is no such model; or the engine is unknown, not installed, not for this model, or differs from
            Keras by more than its precision explains.

    >>> Predictor("runs/polarity").predict(["a fine film"])[0].label   # 'pos'
    >>> Predictor("runs/polarity", engine="openvino", precision="bfloat16").engine.largest_difference   # 0.003
    """

    def __init__(self, model, *, sequence_length=128, top_k=5, engine=AUTO, precision=FLOAT32):
        found = _answerer(model, sequence_length=sequence_length, top_k=top_k, engine=engine, precision=precision)
        self._answer, self.engine = found.answer, found.engine
        self.takes_pairs, self.takes_choices = found.takes_pairs, found.takes_choices

    def predict(self, texts):
        """Answers texts.

        Args:
            texts: list of str; of pairs (first, second) where `takes_pairs`; of (text, endings) where `takes_choices`.

        Returns:
            List of Classification, LabelSet, Score, TaggedText, QuestionAnswer, Choice, FilledMasks or JudgedWords, one
            for each text.

        >>> Predictor("runs/small/generator").predict(["a [MASK] film"])[0].masks[0][0].piece   # 'good'
        """
        texts = list(texts)
        return self._answer(texts) if texts else []


@dataclasses.dataclass(frozen=True)
class _Answerer:
    """Function of texts -> answers, what it takes, and what computes it."""

    answer: object
    engine: Engine
    takes_pairs: bool = False
    takes_choices: bool = False


def _answerer(model, *, sequence_length, top_k, engine, precision):
    """The _Answerer of whatever a path holds."""
    folder, chosen = pathlib.Path(model), {"engine": engine, "precision": precision}
    if is_export(folder):
        _require_tensorflow(model, "an exported SavedModel", **chosen)
        return _exported(read_export(folder))
    if all((folder / kind / "config.json").is_file() for kind in ("generator", "discriminator")):
        find = ReplacedWordFinder(folder / "discriminator", sequence_length=sequence_length, **chosen)
        fill = MaskFiller(folder / "generator", sequence_length=sequence_length, top_k=top_k)
        return _Answerer(lambda texts: _fill_or_find(texts, fill, find), find.engine)
    folder = model_folder_of(folder)
    kind = tuned_kind(load_model_folder(folder))
    if kind in TEXT_MODELS:
        tuned = TunedTextModel(folder, **chosen)
        return _Answerer(tuned, tuned.engine, tuned.takes_pairs)
    if kind in IDS_MODELS:
        tuned = TunedIdsModel(folder, **chosen)
        return _Answerer(tuned, tuned.engine, tuned.takes_pairs, tuned.takes_choices)
    if kind == "discriminator":
        find = ReplacedWordFinder(folder, sequence_length=sequence_length, **chosen)
        return _Answerer(find, find.engine)
    if kind != "generator":
        raise InputError(f"{model} holds a model of kind {kind!r}, which answers nothing by itself; fine-tune it "
                         f"first.")
    only_tensorflow = _require_tensorflow(model, f"a model of kind {kind!r}", **chosen)
    return _Answerer(MaskFiller(folder, sequence_length=sequence_length, top_k=top_k), only_tensorflow)


def _exported(export):
    """The _Answerer of a SavedModel."""
    if export.description.get("answers_as") in IDS_MODELS:
        model = ExportedIdsModel(export)
        return _Answerer(model, model.engine, model.takes_pairs, model.takes_choices)
    model = ExportedTextModel(export)
    return _Answerer(model, model.engine, model.takes_pairs)


def _require_tensorflow(model, what, *, engine, precision):
    """The Engine of what TensorFlow alone computes; refuses a user who asks for another."""
    if engine not in (AUTO, TENSORFLOW) or precision != FLOAT32:
        raise InputError(f"{model} is {what}, which TensorFlow alone answers, in float32; leave engine={engine!r} and "
                         f"precision={precision!r} away.")
    return tensorflow_engine()


def _fill_or_find(texts, fill, find):
    filled = iter(fill([text for text in texts if MASK in text]))
    judged = iter(find([text for text in texts if MASK not in text]))
    return [next(filled if MASK in text else judged) for text in texts]
