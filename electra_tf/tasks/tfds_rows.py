"""Columns of a data set that tensorflow-datasets knows or has prepared, as lists of str."""

import tensorflow_datasets as tfds

from electra_tf.errors import InputError
from electra_tf.files import some_names
from electra_tf.tasks.options import TFDS_PREFIX

# Behind the name of a column of class labels: their numbers instead of their names.
NUMBERS = ":number"


def read_tfds_columns(source, names):
    """Reads columns of one split; a set that is not there yet is downloaded first, as tensorflow-datasets does.

    Args:
        source: "tfds:NAME@SPLIT"; name and split as tensorflow-datasets takes them ("glue/sst2", "train[:80%]").
        names: names of the columns, each of strings, numbers or class labels.

    Returns:
        One list of str for each name, rows in the order of the prepared set, which is not that of its source; class
        labels by their names, or of "label:number" by their numbers.

    Raises:
        InputError: no such set, split or column, a column of another type, or a set that cannot be prepared.

    >>> read_tfds_columns("tfds:glue/sst2@validation", ["sentence", "label"])[1][0]   # 'positive'
    """
    name, at, split = source.removeprefix(TFDS_PREFIX).partition("@")
    if not (name and at and split):
        raise InputError(f"{source}: expected tfds:NAME@SPLIT, such as tfds:glue/sst2@train.")
    try:
        builder = tfds.builder(name)
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        raise InputError(f"{source}: tensorflow-datasets has no {name!r} ({_first_line(error)}).") from None
    for column in names:
        if column.removesuffix(NUMBERS) not in builder.info.features:
            raise InputError(f"{source}: column {column!r} does not exist; the columns are "
                             f"{some_names(builder.info.features, most=20)}.")
    try:
        builder.download_and_prepare()
    except (OSError, tfds.download.DownloadError) as error:
        raise InputError(f"{source}: the set cannot be prepared ({_first_line(error)}); check the connection and the "
                         f"disk, or copy a prepared one to {builder.data_path}.") from None
    try:
        rows = list(tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False)))
    except ValueError as error:
        raise InputError(f"{source}: split {split!r} cannot be read ({_first_line(error)}); give one of its "
                         f"splits.") from None
    return [_column(rows, column, builder.info.features, source) for column in names]


def _first_line(error):
    return next(iter(str(error).splitlines()), type(error).__name__)


def _column(rows, column, features, source):
    name = column.removesuffix(NUMBERS)
    return [_text(row[name], features[name], as_number=column != name, where=f"{source}, row {place}, {name}")
            for place, row in enumerate(rows)]


def _text(value, feature, *, as_number, where):
    if isinstance(feature, tfds.features.ClassLabel):
        if value < 0:
            raise InputError(f"{where}: the row has no label; give a labelled split.")
        return str(value) if as_number else feature.int2str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="ignore")
    if getattr(value, "dtype", None) is not None and value.dtype.kind in "iuf" and value.shape == ():
        return str(value)  # the shortest decimal that names the number: 3.8, not the 3.799999952 of its float64
    raise InputError(f"{where} is a {type(value).__name__}; expected a string, a number or a class label.")
