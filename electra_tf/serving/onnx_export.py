"""A tuned model as an ONNX file: token ids in, probabilities out, for any runtime that reads the format."""

import pathlib

from electra_tf.errors import InputError
from electra_tf.files import require_new_file, write_bytes_atomically, write_json_atomically
from electra_tf.serving import onnx_engine
from electra_tf.serving.answer_difference import largest_answer_difference
from electra_tf.serving.descriptions import ids_description
from electra_tf.serving.engines import FLOAT32, LARGEST_DIFFERENCES, ONNX, choose_engine
from electra_tf.serving.ids_network import served_network, served_numbers
from electra_tf.serving.samples import sample_features
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.task_models import load_task_model


def export_onnx(model, output):
    """Writes a tuned model as an .onnx file and compares its answers on ONNX Runtime with Keras.

    It takes token_ids, segment_ids and padding_mask, int32 [batch, length] of any size ([batch, choices, length] for
    multiple choice), and returns what `export_saved_model` tells of token ids, without strings. OUTPUT.json beside it
    describes it, with the labels. Texts are tokenized outside, by Tokenizer or any tokenizer of BERT with the
    vocabulary of the model folder.

    Args:
        model: model folder of a model that was tuned for a task, or folder of a fine-tuning run.
        output: file to make, .onnx by custom.

    Returns:
        The largest difference between its probabilities and those of Keras on sample texts.

    Raises:
        InputError: the converter or ONNX Runtime is not installed, `model` was tuned for no task, `output` exists, or
            the answers differ; then nothing is left behind.

    >>> export_onnx("runs/polarity", "polarity.onnx")   # 2e-07
    """
    choose_engine(ONNX, FLOAT32)
    output = pathlib.Path(output)
    description_path = output.with_name(output.name + ".json")
    for path in (output, description_path):
        require_new_file(path)
    tuned = load_task_model(model_folder_of(model))
    content, features = onnx_engine.onnx_bytes(served_network(tuned)), sample_features(tuned)
    difference = largest_answer_difference(
        onnx_engine.answers_of(content, features), served_numbers(tuned, tuned(features, training=False)))
    if not difference <= LARGEST_DIFFERENCES[FLOAT32]:
        raise InputError(f"{model}: the converted model's probabilities differ from Keras by {difference:.1e} on "
                         f"sample texts, more than {LARGEST_DIFFERENCES[FLOAT32]:.0e}; nothing was written.")
    write_json_atomically(description_path, ids_description(tuned, difference))
    write_bytes_atomically(output, content)
    return difference
