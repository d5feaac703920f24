"""Columns of a data set that tensorflow-datasets knows or has prepared, as lists of str."""

import tensorflow_datasets as tfds

from electra_tf.errors import InputError
from electra_tf.files import some_names

TFDS_PREFIX = "tfds:"


def read_tfds_columns(source, names):
    """Reads columns of one split; a set that is not there yet is downloaded first, as tensorflow-datasets does.

    Args:
        source: "tfds:NAME@SPLIT"; name and split as tensorflow-datasets takes them ("glue/sst2", "train[:80%]").
        names: names of the columns, each of strings, whole numbers or class labels.

    Returns:
        One list of str for each name; class labels by their names.

    Raises:
        InputError: no such set, split or column, or a column of another type.

    >>> read_tfds_columns("tfds:glue/sst2@validation", ["sentence", "label"])[1][0]   # 'positive'
    """
    name, at, split = source.removeprefix(TFDS_PREFIX).partition("@")
    if not (name and at and split):
        raise InputError(f"{source}: expected tfds:NAME@SPLIT, such as tfds:glue/sst2@train.")
    try:
        builder = tfds.builder(name)
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        raise InputError(f"{source}: tensorflow-datasets has no {name!r} ({str(error).splitlines()[0]}).") from None
    for column in names:
        if column not in builder.info.features:
            raise InputError(f"{source}: column {column!r} does not exist; the columns are "
                             f"{some_names(builder.info.features, most=20)}.")
    builder.download_and_prepare()
    try:
        rows = list(tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False)))
    except ValueError as error:
        raise InputError(f"{source}: split {split!r} cannot be read ({str(error).splitlines()[0]}); give one of its "
                         f"splits.") from None
    return [[_text(row[name], builder.info.features[name], f"{source}, row {place}, {name}")
             for place, row in enumerate(rows)] for name in names]


def _text(value, feature, where):
    if isinstance(feature, tfds.features.ClassLabel):
        if value < 0:
            raise InputError(f"{where}: the row has no label; give a labelled split.")
        return feature.int2str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="ignore")
    if getattr(value, "dtype", None) is not None and value.dtype.kind in "iu" and value.shape == ():
        return str(value)
    raise InputError(f"{where} is a {type(value).__name__}; expected a string, a whole number or a class label.")
