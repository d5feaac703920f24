"""A tuned model as a SavedModel for TensorFlow Serving or plain TensorFlow.

Strings in, labels or scores out, where an answer is for a whole text. Where it points into the text, token ids go in,
because no tokenizer in the graph tells where in the user's string a piece stands.
"""

import pathlib

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.files import new_folder, write_json_atomically
from electra_tf.serving.answer_difference import largest_answer_difference
from electra_tf.serving.descriptions import ids_inputs, outputs_of, settings_of
from electra_tf.serving.ids_network import IDS_SIGNATURE
from electra_tf.serving.samples import sample_features, sample_texts
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.task_models import TEXT_MODELS, load_task_model
from electra_tf.tasks.text_batches import FEATURES

LARGEST_DIFFERENCE = 1e-5
VERSION = "1"  # TensorFlow Serving takes the folder with the highest number
DESCRIPTION_FILE = "export.json"
VOCABULARY_FOLDER = "vocabulary"
SERVING_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
TEXT_INPUTS = {False: ("text",), True: ("text_a", "text_b")}


def served_module(model):
    """The functions of an export, over one set of weights.

    Args:
        model: a model that was tuned for a task.

    Returns:
        tf.Module with `functions`, by the name of the signature: for models of whole texts SERVING_SIGNATURE takes
        strings and IDS_SIGNATURE token ids, for all others SERVING_SIGNATURE takes token ids.
    """
    max_positions, answers = model.encoder.config.max_positions, model.served_outputs

    @tf.function(input_signature=[tf.TensorSpec([None] * model.feature_rank, tf.int32, name) for name in FEATURES])
    def answer_ids(token_ids, segment_ids, padding_mask):
        message = f"token_ids are longer than the {max_positions} positions of the model"
        with tf.control_dependencies([
                tf.debugging.assert_less_equal(tf.shape(token_ids)[-1], max_positions, message)]):
            token_ids = tf.identity(token_ids)
        return answers(model(token_ids, segment_ids, padding_mask, training=False))

    module = tf.Module(name="served_model")
    # The plain variables, not the Keras model: that would write every weight a second time.
    module.weights = [weight.value for weight in model.weights]
    if model.KIND not in TEXT_MODELS:
        module.functions = {SERVING_SIGNATURE: answer_ids}
        return module

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name) for name in TEXT_INPUTS[model.pairs]])
    def answer_texts(*texts):
        return answers(model.text_outputs(texts if len(texts) == 2 else texts[0]))
    module.functions = {SERVING_SIGNATURE: answer_texts, IDS_SIGNATURE: answer_ids}
    return module


def export_saved_model(model, output):
    """Writes a tuned model as `output`/1, the version folder that TensorFlow Serving loads, and compares it.

    For a model of whole texts the signature "serving_default" takes strings [batch] ("text", or "text_a" and "text_b"
    for pairs) and returns "labels" (strings), "probabilities" and "logits" (float32 [batch, labels]) of a classifier,
    the last two of a multi-label one, "scores" (float32 [batch]) and "logits" of a regressor; "token_ids" takes
    token_ids, segment_ids and padding_mask, int32 [batch, length], and returns the same for each row. Long texts are
    cut inside, or read in windows whose logits are pooled, as the model does.

    For all others "serving_default" takes token_ids, segment_ids and padding_mask, int32 [batch, length] ([batch,
    choices, length] for multiple choice), and returns "probabilities" and "logits" of each piece's tags (float32
    [batch, length, labels]) or of the endings (float32 [batch, choices]), or for questions the arrays of a SpanBeam.
    Predictor goes with them from texts to answers; the vocabulary that it needs is written beside.

    export.json describes inputs, outputs and settings.

    Args:
        model: model folder of a model that was tuned for a task, or folder of a fine-tuning run.
        output: folder to make.

    Returns:
        pathlib.Path of the version folder.

    Raises:
        InputError: `model` was tuned for no task, `output` holds other work, or the exported model answers sample texts
            otherwise than Keras does (1e-5); then nothing is left behind.

    >>> export_saved_model("runs/polarity", "served/polarity")   # PosixPath('served/polarity/1')
    """
    tuned = load_task_model(model_folder_of(model))
    reads_texts = tuned.KIND in TEXT_MODELS
    with new_folder(output) as folder:
        save(served_module(tuned), folder / VERSION)
        loaded = tf.saved_model.load(str(folder / VERSION))
        difference = largest_difference(tuned, loaded) if reads_texts else largest_ids_difference(tuned, loaded)
        if not difference <= LARGEST_DIFFERENCE:
            raise InputError(f"{model}: the exported model differs from Keras by {difference:.1e} on sample texts, "
                             f"more than {LARGEST_DIFFERENCE:.0e}; nothing was written.")
        write_json_atomically(folder / DESCRIPTION_FILE, {
            "signatures": {name: {"inputs": inputs} for name, inputs in _inputs(tuned).items()},
            "outputs": outputs_of(tuned), **settings_of(tuned, difference)})
        if not reads_texts:
            tuned.preprocessor.vocabulary.save(folder / VOCABULARY_FOLDER)
    return pathlib.Path(output) / VERSION


def save(module, folder):
    """Writes the SavedModel of a `served_module`."""
    tf.saved_model.save(module, str(folder), signatures=dict(module.functions))


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
        SERVING_SIGNATURE: loaded.signatures[SERVING_SIGNATURE](**{
            name: tf.constant(column) for name, column in zip(TEXT_INPUTS[classifier.pairs], columns, strict=True)}),
        IDS_SIGNATURE: loaded.signatures[IDS_SIGNATURE](**features)}
    # As a graph, like `predict`: TensorFlow's optimizer of graphs rounds otherwise than eager execution.
    outputs = tf.function(classifier)
    expected = {SERVING_SIGNATURE: outputs(encoded.batch(rows, batch_size=len(rows)), training=False),
                IDS_SIGNATURE: outputs(features, training=False)}
    return max(float(np.abs(answers[name][output] - wanted).max()) for name, logits in expected.items()
               for output, wanted in classifier.served_outputs(logits).items() if wanted.dtype == tf.float32)


def largest_ids_difference(model, loaded):
    """Between a loaded SavedModel that takes token ids alone and Keras, in the probabilities of the sample texts."""
    features = sample_features(model)
    answers = loaded.signatures[SERVING_SIGNATURE](**{
        name: tf.constant(values) for name, values in features.items()})
    return largest_answer_difference(answers, model.served_outputs(tf.function(model)(features, training=False)))


def _inputs(model):
    """Name of a signature -> its inputs."""
    if model.KIND not in TEXT_MODELS:
        return {SERVING_SIGNATURE: ids_inputs(model)}
    return {SERVING_SIGNATURE: dict.fromkeys(TEXT_INPUTS[model.pairs], "string [batch]"),
            IDS_SIGNATURE: ids_inputs(model)}
