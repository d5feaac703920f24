"""A tuned model as a LiteRT (.tflite) file for phones and small devices: token ids in, probabilities out."""

import pathlib
import tempfile

import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.files import require_new_file, write_bytes_atomically, write_json_atomically
from electra_tf.serving.answer_difference import largest_answer_difference
from electra_tf.serving.descriptions import ids_description
from electra_tf.serving.ids_network import IDS_SIGNATURE, save_ids_network, served_network, served_numbers
from electra_tf.serving.samples import sample_features
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.task_models import load_task_model

# What each form may differ from Keras in its probabilities; more shows a conversion that went wrong.
LARGEST_DIFFERENCES = {"float32": 1e-5, "float16": 1e-2, "int8": 0.2}


def export_litert(model, output, *, quantization="float32"):
    """Writes a tuned model as a .tflite file and compares its answers with Keras.

    Its signature "token_ids" takes token_ids, segment_ids and padding_mask, int32 [batch, length] of any size ([batch,
    choices, length] for multiple choice), and returns what `export_saved_model` tells of token ids, without strings.
    OUTPUT.json beside it describes it, with the labels.

    Args:
        model: model folder of a model that was tuned for a task, or folder of a fine-tuning run.
        output: file to make, .tflite by custom.
        quantization: how weights are stored: "float32", "float16" (half the size), or "int8" (a quarter; activations
            are quantized as they come).

    Returns:
        The largest difference between its probabilities and those of Keras on sample texts.

    Raises:
        InputError: `model` was tuned for no task, `output` exists, an unknown quantization, or answers that differ more
            than that quantization explains; then nothing is left behind.

    >>> export_litert("runs/polarity", "polarity.tflite", quantization="float16")   # 0.0001
    """
    if quantization not in LARGEST_DIFFERENCES:
        raise InputError(f"quantization={quantization!r} is not known; choose one of {', '.join(LARGEST_DIFFERENCES)}.")
    output = pathlib.Path(output)
    description_path = output.with_name(output.name + ".json")
    for path in (output, description_path):
        require_new_file(path)
    tuned = load_task_model(model_folder_of(model))
    content = _converted(tuned, quantization)
    difference = _largest_difference(tuned, content)
    if not difference <= LARGEST_DIFFERENCES[quantization]:
        raise InputError(f"{model}: the converted model's probabilities differ from Keras by {difference:.1e} on "
                         f"sample texts, more than {LARGEST_DIFFERENCES[quantization]:.0e} for {quantization}; nothing "
                         f"was written.")
    write_json_atomically(description_path, {
        **ids_description(tuned, difference), "quantization": quantization})
    write_bytes_atomically(output, content)
    return difference


def _converted(model, quantization):
    """The bytes of the file. The way leads through a SavedModel: the converter's other entrances lose the weights."""
    with tempfile.TemporaryDirectory() as folder:
        save_ids_network(served_network(model), model.weights, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[IDS_SIGNATURE])
        if quantization != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def _largest_difference(model, content):
    """Between the answers of the file and of Keras, on sample texts."""
    features = sample_features(model)
    interpreter = tf.lite.Interpreter(model_content=content)
    answers = interpreter.get_signature_runner(IDS_SIGNATURE)(**features)
    return largest_answer_difference(answers, served_numbers(model, model(features, training=False)))
