"""A tuned model as a SavedModel: strings in, labels or scores out, for TensorFlow Serving or plain TensorFlow."""

import json
import pathlib

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.files import new_folder, write_json_atomically
from electra_tf.serving.ids_network import IDS_SIGNATURE
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.task_models import load_text_model
from electra_tf.tasks.text_batches import FEATURES

LARGEST_DIFFERENCE = 1e-5
VERSION = "1"  # TensorFlow Serving takes the folder with the highest number
DESCRIPTION_FILE = "export.json"
TEXT_SIGNATURE = "serving_default"
TEXT_INPUTS = {False: ("text",), True: ("text_a", "text_b")}
OUTPUT_FORMS = {"labels": "string [batch]", "probabilities": "float32 [batch, labels]", "scores": "float32 [batch]",
                "logits": "float32 [batch, labels]"}

# What every form of a model must answer as Keras does: usual texts, and those that break careless programs.
SAMPLE_TEXTS = ("A fine film, from beginning to end!", "not bad", "", "   ", "naïve café, 100 % 电影 🎬",
                "[CLS] [MASK] ##s", b"half a character \xe4\xbd and a byte \xff", "word " * 1000, "a" * 300)


def served_module(classifier):
    """The functions of an export, over one set of weights.

    Args:
        classifier: a model of whole texts: ElectraTextClassifier, ElectraTextRegressor, ...

    Returns:
        tf.Module with `classify_texts` and `classify_ids`.
    """
    max_positions, answers = classifier.encoder.config.max_positions, classifier.served_outputs

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name) for name in TEXT_INPUTS[classifier.pairs]])
    def classify_texts(*texts):
        return answers(classifier.text_outputs(texts if len(texts) == 2 else texts[0]))

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name) for name in FEATURES])
    def classify_ids(token_ids, segment_ids, padding_mask):
        message = f"token_ids are longer than the {max_positions} positions of the model"
        with tf.control_dependencies([tf.debugging.assert_less_equal(tf.shape(token_ids)[1], max_positions, message)]):
            token_ids = tf.identity(token_ids)
        return answers(classifier(token_ids, segment_ids, padding_mask, training=False))

    module = tf.Module(name="served_classifier")
    # The plain variables, not the Keras model: that would write every weight a second time.
    module.weights = [weight.value for weight in classifier.weights]
    module.classify_texts, module.classify_ids = classify_texts, classify_ids
    return module


def export_saved_model(model, output):
    """Writes a tuned classifier as `output`/1, the version folder that TensorFlow Serving loads, and compares it.

    Its signature "serving_default" takes strings [batch] ("text", or "text_a" and "text_b" for pairs) and returns
    "labels" (strings), "probabilities" and "logits" (float32 [batch, labels]) of a classifier, the last two of a
    multi-label one, "scores" (float32 [batch]) and "logits" of a regressor; "token_ids" takes token_ids, segment_ids
    and padding_mask, int32 [batch, length], and returns the same for each row. Long texts are cut inside, or read in
    windows whose logits are pooled, as the classifier does. Beside it, export.json describes inputs, outputs and
    labels.

    Args:
        model: model folder of a text classifier, or folder of a fine-tuning run.
        output: folder to make.

    Returns:
        pathlib.Path of the version folder.

    Raises:
        InputError: `model` is no text classifier, `output` holds other work, or the exported model answers sample texts
            otherwise than Keras does (1e-5); then nothing is left behind.

    >>> export_saved_model("runs/polarity", "served/polarity")   # PosixPath('served/polarity/1')
    """
    classifier = load_text_model(model_folder_of(model))
    with new_folder(output) as folder:
        save(served_module(classifier), folder / VERSION)
        difference = largest_difference(classifier, tf.saved_model.load(str(folder / VERSION)))
        if not difference <= LARGEST_DIFFERENCE:
            raise InputError(f"{model}: the exported model differs from Keras by {difference:.1e} on sample texts, "
                             f"more than {LARGEST_DIFFERENCE:.0e}; nothing was written.")
        write_json_atomically(folder / DESCRIPTION_FILE, _description(classifier, difference))
    return pathlib.Path(output) / VERSION


def save(module, folder):
    """Writes the SavedModel of a `served_module`."""
    tf.saved_model.save(
        module, str(folder), signatures={TEXT_SIGNATURE: module.classify_texts, IDS_SIGNATURE: module.classify_ids})


def output_names(classifier):
    """What an export returns, by name."""
    return list(classifier.served_outputs(tf.zeros([1, classifier.num_outputs])))


def sample_texts(classifier):
    """What `preprocessor` takes: the sample texts, or pairs of them."""
    return (list(SAMPLE_TEXTS), list(reversed(SAMPLE_TEXTS))) if classifier.pairs else list(SAMPLE_TEXTS)


def largest_difference(classifier, loaded):
    """Between a loaded SavedModel and Keras, over both signatures and all numbers of the sample texts.

    Args:
        classifier: a model of whole texts.
        loaded: what tf.saved_model.load returns.
    """
    texts = sample_texts(classifier)
    features, encoded = classifier.preprocessor(texts), classifier.encode(texts).for_evaluation()
    rows = np.arange(len(encoded))
    columns = texts if isinstance(texts, tuple) else (texts,)
    answers = {
        TEXT_SIGNATURE: loaded.signatures[TEXT_SIGNATURE](**{
            name: tf.constant(column) for name, column in zip(TEXT_INPUTS[classifier.pairs], columns, strict=True)}),
        IDS_SIGNATURE: loaded.signatures[IDS_SIGNATURE](**features)}
    # As a graph, like `predict`: TensorFlow's optimizer of graphs rounds otherwise than eager execution.
    outputs = tf.function(classifier)
    expected = {TEXT_SIGNATURE: outputs(encoded.batch(rows, batch_size=len(rows)), training=False),
                IDS_SIGNATURE: outputs(features, training=False)}
    return max(float(np.abs(answers[name][output] - wanted).max()) for name, logits in expected.items()
               for output, wanted in classifier.served_outputs(logits).items() if wanted.dtype == tf.float32)


def ids_description(classifier, difference):
    """What a file says that takes token ids and returns numbers: its inputs, outputs, labels and vocabulary."""
    return {"signature": IDS_SIGNATURE, "inputs": dict.fromkeys(FEATURES, "int32 [batch, length]"),
            "outputs": {name: OUTPUT_FORMS[name] for name in output_names(classifier) if name != "labels"},
            "labels": list(classifier.labels), "pairs": classifier.pairs,
            "sequence_length": classifier.preprocessor.sequence_length,
            "vocabulary_hash": classifier.preprocessor.vocabulary.hash, "largest_difference_from_keras": difference}


def _description(classifier, difference):
    names = TEXT_INPUTS[classifier.pairs]
    return {
        "signatures": {
            TEXT_SIGNATURE: {"inputs": dict.fromkeys(names, "string [batch]")},
            IDS_SIGNATURE: {"inputs": dict.fromkeys(FEATURES, "int32 [batch, length]")}},
        "outputs": {name: OUTPUT_FORMS[name] for name in output_names(classifier)},
        "answers_as": classifier.answers_as, "labels": list(classifier.labels), "pairs": classifier.pairs,
        "sequence_length": classifier.preprocessor.sequence_length, "long_text": classifier.long_text,
        "max_positions": classifier.encoder.config.max_positions,
        "vocabulary_hash": classifier.preprocessor.vocabulary.hash,
        "largest_difference_from_keras": difference}


def read_description(folder):
    """The labels and inputs of an export."""
    return json.loads((pathlib.Path(folder) / DESCRIPTION_FILE).read_text(encoding="utf-8"))
