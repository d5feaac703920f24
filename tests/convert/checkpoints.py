"""Writes checkpoints as the original implementation does, from arrays under its names."""

import json

import tensorflow as tf


def write_checkpoint(folder, arrays, *, settings=None, vocabulary=None, name="model.ckpt-6"):
    """A TF1 checkpoint of named variables, with bert_config.json and vocab.txt beside it if given."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(arrays)
    tf.raw_ops.SaveV2(prefix=str(folder / name), tensor_names=names, shape_and_slices=[""] * len(names),
                      tensors=[arrays[key] for key in names])
    if settings is not None:
        (folder / "bert_config.json").write_text(json.dumps(settings))
    if vocabulary is not None:
        (folder / "vocab.txt").write_bytes(vocabulary.read_bytes())
    return folder


def variables_of(prefix):
    """name -> array of everything in a checkpoint."""
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
