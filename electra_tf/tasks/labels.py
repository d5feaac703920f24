"""Labels by name outside, by number inside."""

import numbers

import numpy as np

from electra_tf.errors import InputError
from electra_tf.files import some_names


def label_names(values, *, source="the training set", where="labels, example {}".format):
    """The distinct labels of a training set in a fixed order: whole numbers by value, anything else by alphabet.

    Args:
        values: list of str, or a dict whose keys they are.
        source: what to call the set in an error.
        where: function of a value's place that says where it stands, for the error.

    Returns:
        Tuple of str.

    Raises:
        InputError: fewer than two labels, or an empty one.

    >>> label_names(["pos", "neg", "pos"])   # ('neg', 'pos')
    """
    names = set(values)
    if "" in names:
        raise InputError(f"{where(list(values).index(''))}: the label is empty; every training example needs one.")
    if len(names) < 2:
        raise InputError(f"{source}: the labels are all {some_names(names) or 'missing'}; a classifier needs two or "
                         f"more.")
    are_numbers = all(name.lstrip("-").isdecimal() for name in names)
    return tuple(sorted(names, key=int if are_numbers else None))


def label_numbers(values, names, *, where="labels, example {}".format):
    """The place of each label among the names.

    Args:
        values: labels by name, or as whole numbers: the place among the names, or the name itself where names are
            numbers.
        names: tuple of str.
        where: function of a value's place that says where it stands, for the error.

    Returns:
        int32 numpy array.

    Raises:
        InputError: a label that is not among the names.

    >>> label_numbers(["pos", "neg"], ("neg", "pos"))   # [1, 0]
    """
    place_of = {name: place for place, name in enumerate(names)}
    if not any(name.lstrip("-").isdecimal() for name in names):
        place_of |= {place: place for place in range(len(names))}
    found = []
    for row, value in enumerate(values):
        key = _plain(value)
        place = place_of.get(key, place_of.get(str(key)))
        if place is None:
            raise InputError(f"{where(row)}: label {key!r} is unknown; expected one of "
                             f"{some_names(names, most=20)}.")
        found.append(place)
    return np.array(found, np.int32)


def _plain(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return int(value) if isinstance(value, numbers.Integral | np.integer) else value
