"""Cross-validation: the rows of a small set dealt into parts that each are the validation set once."""

import collections

import numpy as np

from electra_tf.errors import InputError
from electra_tf.files import some_names


def fold_of_rows(labels, *, folds, seed=0, is_stratified=True):
    """Deals rows into folds of equal size in which every label has its share.

    The shuffled rows are sorted by label and dealt like cards, so the folds differ by one row at most, and by one row
    of each label at most.

    Args:
        labels: one for each row: hashable and sortable (names or numbers). Where they are not stratified, only their
            number matters.
        folds: how many, 2 or more.
        seed: of the shuffle.
        is_stratified: False for labels that are no classes, such as the numbers of a regression.

    Returns:
        int array [rows]: the fold, 0 .. folds - 1, in which a row belongs to the validation set; in all others it is
        trained on.

    Raises:
        InputError: fewer than 2 folds, fewer rows than folds, or a label that one row alone has, which could not be
            trained on when that row is validated.

    >>> fold_of_rows(["neg", "neg", "pos", "pos"], folds=2)   # [1, 0, 0, 1]
    """
    rows = len(labels)
    _require_enough(rows, folds, what="rows")
    order = np.random.default_rng(seed).permutation(rows)
    if is_stratified:
        _require_two_of_each(labels)
        places = {label: place for place, label in enumerate(sorted(set(labels)))}
        numbers = np.array([places[label] for label in labels])
        order = order[np.argsort(numbers[order], kind="stable")]
    fold = np.empty(rows, np.int64)
    fold[order] = np.arange(rows) % folds
    return fold


def fold_of_groups(groups, *, folds, seed=0):
    """Deals rows into folds so that rows of one group, such as the questions on one text, stay together.

    The shuffled groups are dealt from the largest to the smallest, each to a fold that has the fewest rows so far; so
    two folds differ by the rows of the largest group at most.

    Args:
        groups: one for each row, hashable: what it belongs to.
        folds: how many, 2 or more.
        seed: of the shuffle.

    Returns:
        int array [rows]: as of `fold_of_rows`.

    Raises:
        InputError: fewer than 2 folds, or fewer groups than folds.

    >>> fold_of_groups(["a", "b", "a", "c"], folds=2)   # [0, 1, 0, 1]
    """
    sizes = collections.Counter(groups)
    _require_enough(len(sizes), folds, what="texts or other groups that stay together")
    names = list(sizes)
    shuffled = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    rows_of_fold, fold_of = [0] * folds, {}
    for name in sorted(shuffled, key=sizes.get, reverse=True):
        fold_of[name] = rows_of_fold.index(min(rows_of_fold))
        rows_of_fold[fold_of[name]] += sizes[name]
    return np.array([fold_of[name] for name in groups], np.int64)


def _require_enough(count, folds, *, what):
    if folds < 2:
        raise InputError(f"folds={folds} must be 2 or more.")
    if count < folds:
        raise InputError(f"folds={folds} needs as many {what}, and there are {count}; give fewer folds.")


def _require_two_of_each(labels):
    single = [str(label) for label, count in collections.Counter(labels).items() if count == 1]
    if single:
        raise InputError(f"cross-validation: {some_names(single)} is the label of one row alone, which cannot be "
                         f"trained on and validated at once; add rows or leave it out.")
