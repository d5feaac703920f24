"""The one checker of conversions: every array of the source has its place and its shape, or the error names it."""

from electra_tf.convert.portable_model import float32
from electra_tf.errors import InputError
from electra_tf.files import some_names

_MOST_NAMES = 8


def to_our_names(arrays, entries, *, where, left_out=()):
    """Arrays of another format under our names.

    Args:
        arrays: their name -> numpy array, all that the source holds.
        entries: Entry for each array that the model needs.
        where: the source, for the error.
        left_out: names in the source that the caller leaves out on purpose, and says so.

    Returns:
        dict of our name -> float32 array.

    Raises:
        InputError: names what is missing, what is left over, and what has another shape than the settings say.

    >>> to_our_names(arrays, encoder_entries(config, HUGGING_FACE), where="electra-small/")
    """
    wanted, left_out = {entry.theirs: entry for entry in entries}, set(left_out)
    missing = [name for name in wanted if name not in arrays]
    extra = [name for name in arrays if name not in wanted and name not in left_out]
    misshapen = [f"{name} is {list(arrays[name].shape)}, expected {list(entry.their_shape)}"
                 for name, entry in wanted.items() if name in arrays and arrays[name].shape != entry.their_shape]
    problems = [f"{label}: {some_names(names, most=_MOST_NAMES)}" for label, names in (
        ("missing", missing), ("without a place", extra), ("of another shape", misshapen)) if names]
    if problems:
        raise InputError(f"{where}: the weights do not fit the settings; {'; '.join(problems)}.")
    return {entry.ours: float32(entry.to_ours(arrays[entry.theirs])) for entry in entries}


def to_their_names(weights, entries, *, where):
    """The other way: our arrays under another format's names, in its shapes.

    Raises:
        InputError: the model lacks an array, or has one that the format has no place for.

    >>> to_their_names(model.weights, encoder_entries(model.config, ORIGINAL), where="electra-small/")
    """
    ours = {entry.ours for entry in entries}
    missing = [entry.ours for entry in entries if entry.ours not in weights]
    extra = [name for name in weights if name not in ours]
    misshapen = [f"{entry.ours} is {list(weights[entry.ours].shape)}, expected {list(entry.our_shape)}"
                 for entry in entries if entry.ours in weights and weights[entry.ours].shape != entry.our_shape]
    problems = [f"{label}: {some_names(names, most=_MOST_NAMES)}" for label, names in (
        ("missing", missing), ("without a place there", extra), ("of another shape", misshapen)) if names]
    if problems:
        raise InputError(f"{where} cannot be written in that format; {'; '.join(problems)}.")
    return {entry.theirs: float32(entry.to_theirs(weights[entry.ours])) for entry in entries}
