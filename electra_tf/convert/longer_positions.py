"""A learned position table for inputs longer than those it was trained on."""

import dataclasses

import numpy as np

from electra_tf.config import POSITION_EXTENSIONS
from electra_tf.errors import InputError

_TABLE = "encoder/embeddings/position_embeddings"


def longer_table(table, positions, *, extension):
    """The rows of a position table, and more behind them; inputs that fitted before see the rows they saw.

    Args:
        table: float32 [old positions, width].
        positions: number of rows wanted, more than there are.
        extension: "copy" begins again with the first row at each end of the table, so that near neighbours stay near
            neighbours but for the seams; "interpolation" stretches the table over the new length and takes its later
            part, so that there is no seam inside but neighbours come closer.

    Returns:
        float32 [positions, width].

    >>> longer_table(np.eye(2), 5, extension="copy").argmax(axis=1)   # [0, 1, 0, 1, 0]
    """
    old = len(table)
    if extension == "copy":
        return table[np.arange(positions) % old]
    places = np.arange(old, positions) * (old - 1) / (positions - 1)
    below = np.minimum(places.astype(int), old - 2) if old > 1 else np.zeros(len(places), int)
    share = (places - below)[:, None].astype(table.dtype)
    above = np.minimum(below + 1, old - 1)
    return np.concatenate([table, (1 - share) * table[below] + share * table[above]]).astype(table.dtype)


def with_longer_positions(model, positions, *, extension):
    """A model for inputs of up to `positions` tokens; its settings say how the new rows were made.

    Args:
        model: PortableModel or ModelFolder with learned positions.
        positions: more than `model.config.max_positions`.
        extension: "copy" or "interpolation".

    Raises:
        InputError: no more positions than before, another word for `extension`, or a model without such a table.

    >>> with_longer_positions(model, 1024, extension="copy").config.max_positions   # 1024
    """
    if extension not in POSITION_EXTENSIONS[1:]:
        raise InputError(f"position_extension={extension!r} must be {' or '.join(POSITION_EXTENSIONS[1:])} where "
                         f"max_positions={positions} is given.")
    if _TABLE not in model.weights:
        raise InputError(f"max_positions={positions}: this {model.kind} has no learned positions "
                         f"(position_type={model.config.position_type!r}); set model.max_positions alone.")
    if positions <= model.config.max_positions:
        raise InputError(f"max_positions={positions} is not more than the {model.config.max_positions} of the model; a "
                         f"shorter input needs no change.")
    table = longer_table(model.weights[_TABLE], positions, extension=extension)
    config = dataclasses.replace(model.config, max_positions=positions, position_extension=extension)
    return dataclasses.replace(model, config=config, weights={**model.weights, _TABLE: table})
