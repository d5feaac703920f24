"""A tuned classifier as an ONNX file: token ids in, probabilities out, for any runtime that reads the format."""

import pathlib

import numpy as np

from electra_tf.errors import InputError
from electra_tf.files import require_new_file, write_bytes_atomically, write_json_atomically
from electra_tf.serving import onnx_engine
from electra_tf.serving.engines import FLOAT32, LARGEST_DIFFERENCES, ONNX, choose_engine
from electra_tf.serving.ids_network import ids_network, largest_answer_difference, served_numbers
from electra_tf.serving.saved_model import ids_description, sample_texts
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.task_models import load_text_model
from electra_tf.tasks.text_batches import encode_in_bulk, text_columns
from electra_tf.text.tokenizer import Tokenizer


def export_onnx(model, output):
    """Writes a tuned classifier as an .onnx file and compares its answers on ONNX Runtime with Keras.

    It takes token_ids, segment_ids and padding_mask, int32 [batch, length] of any size, and returns "logits" and
    "probabilities" (a regressor "scores"), float32. OUTPUT.json beside it describes it, with the labels. Texts are
    tokenized outside, by Tokenizer or any tokenizer of BERT with the vocabulary of the model folder.

    Args:
        model: model folder of a text classifier, or folder of a fine-tuning run.
        output: file to make, .onnx by custom.

    Returns:
        The largest difference between its probabilities and those of Keras on sample texts.

    Raises:
        InputError: the converter or ONNX Runtime is not installed, `model` is no text classifier, `output` exists, or
            the answers differ; then nothing is left behind.

    >>> export_onnx("runs/polarity", "polarity.onnx")   # 2e-07
    """
    choose_engine(ONNX, FLOAT32)
    output = pathlib.Path(output)
    description_path = output.with_name(output.name + ".json")
    for path in (output, description_path):
        require_new_file(path)
    classifier = load_text_model(model_folder_of(model))
    network = ids_network(lambda *features: served_numbers(classifier, classifier(*features, training=False)))
    content = onnx_engine.onnx_bytes(network)
    features = _sample_features(classifier)
    difference = largest_answer_difference(
        onnx_engine.answers_of(content, features), served_numbers(classifier, classifier(features, training=False)))
    if not difference <= LARGEST_DIFFERENCES[FLOAT32]:
        raise InputError(f"{model}: the converted model's probabilities differ from Keras by {difference:.1e} on "
                         f"sample texts, more than {LARGEST_DIFFERENCES[FLOAT32]:.0e}; nothing was written.")
    write_json_atomically(description_path, ids_description(classifier, difference))
    write_bytes_atomically(output, content)
    return difference


def _sample_features(classifier):
    preprocessor = classifier.preprocessor
    encoded = encode_in_bulk(Tokenizer(preprocessor.vocabulary),
                             text_columns(sample_texts(classifier), pairs=classifier.pairs),
                             sequence_length=preprocessor.sequence_length)
    return encoded.batch(np.arange(len(encoded)), batch_size=len(encoded))
