"""What is told beside an export: inputs, outputs, settings, and how far its answers are from those of Keras."""

import tensorflow as tf

from electra_tf.serving.ids_network import IDS_SIGNATURE
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.task_models import TEXT_MODELS
from electra_tf.tasks.text_batches import FEATURES

_TEXT_OUTPUTS = {"labels": "string [batch]", "probabilities": "float32 [batch, labels]", "scores": "float32 [batch]",
                 "logits": "float32 [batch, labels]"}
# Of the kinds of models whose exports take token ids alone.
_IDS_OUTPUTS = {
    ElectraTokenClassifier.KIND: dict.fromkeys(("probabilities", "logits"), "float32 [batch, length, labels]"),
    ElectraMultipleChoice.KIND: dict.fromkeys(("probabilities", "logits"), "float32 [batch, choices]"),
    ElectraQuestionAnswerer.KIND: {
        "start_scores": "float32 [batch, beam]", "start_positions": "int32 [batch, beam]",
        "end_scores": "float32 [batch, beam, beam]", "end_positions": "int32 [batch, beam, beam]",
        "no_answer": "float32 [batch]"}}
_IDS_INPUTS = {2: "int32 [batch, length]", 3: "int32 [batch, choices, length]"}


def outputs_of(model):
    """What an export of a model returns: name -> type and shape."""
    if model.KIND in _IDS_OUTPUTS:
        return _IDS_OUTPUTS[model.KIND]
    return {name: _TEXT_OUTPUTS[name] for name in model.served_outputs(tf.zeros([1, model.num_outputs]))}


def ids_inputs(model):
    """The inputs of what takes token ids: name -> type and shape."""
    return dict.fromkeys(FEATURES, _IDS_INPUTS[model.feature_rank])


def settings_of(model, difference):
    """What every description tells: the settings of texts and answers, the vocabulary, the difference from Keras."""
    if model.KIND in TEXT_MODELS:
        own = {"answers_as": model.answers_as, "labels": list(model.labels), "pairs": model.pairs,
               "long_text": model.long_text}
    else:
        own = {"answers_as": model.KIND, "settings": model.head_settings()}
    return {**own, "sequence_length": model.preprocessor.sequence_length,
            "max_positions": model.encoder.config.max_positions,
            "vocabulary_hash": model.preprocessor.vocabulary.hash, "largest_difference_from_keras": difference}


def ids_description(model, difference):
    """What stands beside a file that takes token ids and returns numbers."""
    outputs = {name: form for name, form in outputs_of(model).items() if name != "labels"}
    return {"signature": IDS_SIGNATURE, "inputs": ids_inputs(model), "outputs": outputs,
            **settings_of(model, difference)}
