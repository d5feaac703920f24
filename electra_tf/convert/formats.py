"""Which program wrote a folder, told by its content, and the readers and writers of all of them."""

import pathlib

from electra_tf.config import read_json
from electra_tf.convert import hugging_face

OURS, ORIGINAL, HUGGING_FACE, KERAS_HUB = "electra_tf", "original", "huggingface", "keras_hub"
FOREIGN = (ORIGINAL, HUGGING_FACE, KERAS_HUB)


def recognize(path):
    """The format of a checkpoint.

    Args:
        path: a folder; for the original also the path of a checkpoint without its ending, such as DIR/model.ckpt-100.

    Returns:
        "electra_tf", "original", "huggingface", "keras_hub", or None for anything else.

    >>> recognize("google/electra-small-discriminator")   # 'huggingface'
    """
    path = pathlib.Path(path)
    if (path / "config.json").is_file():
        settings = read_json(path / "config.json")
        if "format" in settings and "model" in settings:
            return OURS
        if "registered_name" in settings or "class_name" in settings:
            return KERAS_HUB
        if "model_type" in settings or "hidden_size" in settings:
            return HUGGING_FACE
    return None


def read_foreign(path):
    """The models of a folder in one of the FOREIGN formats.

    Returns:
        List of PortableModel; two for a pretraining checkpoint of the original, the discriminator first.

    Raises:
        InputError: the folder is not complete, holds another kind of model, or does not fit its settings.

    >>> read_foreign("google/electra-small-discriminator")[0].config.hidden_size   # 256
    """
    return [hugging_face.read(path)]
