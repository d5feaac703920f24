"""Inputs on which every form of a model must answer as Keras does: usual texts, and such as break careless programs."""

import numpy as np

from electra_tf.tasks.long_texts import windows_of
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.task_models import TEXT_MODELS
from electra_tf.tasks.text_batches import encode_in_bulk, text_columns
from electra_tf.text.tokenizer import Tokenizer

SAMPLE_TEXTS = ("A fine film, from beginning to end!", "not bad", "", "   ", "naïve café, 100 % 电影 🎬",
                "[CLS] [MASK] ##s", b"half a character \xe4\xbd and a byte \xff", "word " * 1000, "a" * 300)
# Long texts become many windows, and the table of all ends for all starts of one is large.
_MOST_ROWS = 16


def sample_texts(model):
    """What the `preprocessor` of a model of whole texts takes: the sample texts, or pairs of them."""
    return (list(SAMPLE_TEXTS), list(reversed(SAMPLE_TEXTS))) if model.pairs else list(SAMPLE_TEXTS)


def sample_features(model):
    """Token ids of the sample texts, for any model that was tuned for a task.

    Returns:
        Dict of int32 arrays [batch, length], or [batch, choices, length] for multiple choice.

    >>> classifier(sample_features(classifier))
    """
    encoded = _encoded(model)
    rows = np.unique(np.linspace(0, len(encoded) - 1, _MOST_ROWS).astype(int))
    return encoded.batch(rows, batch_size=len(rows))


def _encoded(model):
    if model.KIND in TEXT_MODELS:
        return encode_in_bulk(Tokenizer(model.preprocessor.vocabulary),
                              text_columns(sample_texts(model), pairs=model.pairs),
                              sequence_length=model.preprocessor.sequence_length)
    texts = [text if isinstance(text, str) else text.decode("utf-8", errors="ignore") for text in SAMPLE_TEXTS]
    if isinstance(model, ElectraQuestionAnswerer):
        return model.encode((texts, texts[::-1]))
    if isinstance(model, ElectraMultipleChoice):
        choices = range(1, 1 + (model.num_choices or 2))
        windows, _ = windows_of(model.encode(
            [(text, [texts[(place - choice) % len(texts)] for choice in choices]) for place, text in enumerate(texts)]))
        return windows
    return model.encode(texts)
