"""Which program wrote a folder, told by its content, and the readers and writers of all of them."""

import pathlib

from electra_tf.config import read_json
from electra_tf.convert import hugging_face, keras_hub, original
from electra_tf.errors import InputError

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
    return ORIGINAL if original.checkpoint_prefix(path) is not None else None


def read_foreign(path):
    """The models of a folder in one of the FOREIGN formats.

    Returns:
        List of PortableModel; two for a pretraining checkpoint of the original, the discriminator first.

    Raises:
        InputError: the folder is not complete, holds another kind of model, or does not fit its settings.

    >>> read_foreign("google/electra-small-discriminator")[0].config.hidden_size   # 256
    """
    read = {ORIGINAL: original.read, HUGGING_FACE: lambda folder: [hugging_face.read(folder)],
            KERAS_HUB: lambda folder: [keras_hub.read(folder)]}[recognize(path)]
    models = read(path)
    for model in models:
        # More rows than pieces are usual: tables are padded to a multiple of 8. Fewer cannot be.
        if model.vocabulary is not None and model.vocabulary.size > model.config.vocabulary_size:
            raise InputError(f"{path}: the vocabulary has {model.vocabulary.size} pieces, the word table only "
                             f"{model.config.vocabulary_size} rows; they do not belong together.")
    return models


def write_foreign(folder, models, form):
    """Writes models in one of the FOREIGN formats.

    Args:
        folder: an empty folder.
        models: one PortableModel, or, for the original, discriminator and generator of one run.
        form: one of FOREIGN.

    Returns:
        Tuple of sentences about what could not be written.

    >>> write_foreign("electra-small", [model], "huggingface")
    """
    if form == ORIGINAL:
        return original.write(folder, models)
    (model,) = models
    return {HUGGING_FACE: hugging_face.write, KERAS_HUB: keras_hub.write}[form](folder, model)
