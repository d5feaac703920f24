"""Word embeddings to start from: factors of how often pieces stand near each other in the records.

A small model spends its first ten million tokens on what counting shows in half a minute: which words are used alike.
The counts become positive pointwise mutual information, and that its best low-rank factors (Levy and Goldberg, 2014:
what skip-gram with negative samples approximates).
"""

import numpy as np

from electra_tf.progress import Progress
from electra_tf.records.dataset import pretraining_dataset
from electra_tf.records.manifest import check_records
from electra_tf.training.baselines import count_tokens

WINDOW = 8  # the nearest neighbour counts 1, the farthest 1/8
MOST_TOKENS = 50_000_000  # more text changes little
MOST_CONTEXTS = 8192  # the frequent pieces; bounds the table of counts for a large vocabulary
_CONTEXT_POWER = 0.75  # smooths rare contexts, as word2vec samples its negatives
SCALE = 3.0  # times initializer_range, for words to stand out among what starts at random
_ITERATIONS, _EXTRA_COLUMNS = 12, 96
_ROWS = 4096


def count_cooccurrences(rows, *, counts, context_of, document_ids=None):
    """Adds the pairs of rows to a table, both ways round, nearer pairs with more weight.

    Args:
        rows: integer array [rows, length] of token ids.
        counts: float32 [vocabulary, contexts], changed in place.
        context_of: int64 [vocabulary], the column of a piece as a context; -1 for one that is not counted as such.
        document_ids: integer array like `rows`; only pairs within a document count. None where a row holds one.

    >>> count_cooccurrences(np.array([[5, 6]]), counts=counts, context_of=context_of)
    """
    flat = counts.reshape(-1)
    for distance in range(1, min(WINDOW, rows.shape[1] - 1) + 1):
        weight = np.float32(1 - (distance - 1) / WINDOW)
        left, right = rows[:, :-distance].ravel().astype(np.int64), rows[:, distance:].ravel().astype(np.int64)
        is_together = True if document_ids is None else (
            document_ids[:, :-distance] == document_ids[:, distance:]).ravel()
        for word, context in ((left, right), (right, left)):
            is_pair = (context_of[context] >= 0) & is_together
            np.add.at(flat, word[is_pair] * counts.shape[1] + context_of[context[is_pair]], weight)


def positive_pmi(counts):
    """log(p(word, context) / (p(word) p(context)^0.75)), nothing below 0.

    Args:
        counts: float32 [vocabulary, contexts], overwritten with the answer.

    Returns:
        `counts`.
    """
    words = counts.sum(axis=1, dtype=np.float64)
    contexts = counts.sum(axis=0, dtype=np.float64) ** _CONTEXT_POWER
    words, contexts = np.maximum(words, 1e-12), np.maximum(contexts / max(contexts.sum(), 1e-12), 1e-12)
    with np.errstate(divide="ignore"):
        np.log(counts, out=counts)
    counts -= np.log(words)[:, None].astype(np.float32)
    counts -= np.log(contexts).astype(np.float32)
    return np.maximum(counts, 0, out=counts)


def leading_factors(matrix, size, *, seed):
    """U √S of a matrix's `size` largest singular values, by subspace iteration.

    Args:
        matrix: float32 [rows, columns].
        size: number of factors; columns beyond the matrix's rank are 0.
        seed: of the random start.

    Returns:
        float32 [rows, size].
    """
    width = min(size + _EXTRA_COLUMNS, *matrix.shape)
    start = np.random.default_rng(seed).standard_normal((matrix.shape[1], width), dtype=np.float32)
    basis = np.linalg.qr(matrix @ start)[0]
    for _ in range(_ITERATIONS):
        basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
    left, singular_values, _ = np.linalg.svd(basis.T @ matrix, full_matrices=False)
    factors = np.zeros((matrix.shape[0], size), np.float32)
    kept = min(size, width)
    factors[:, :kept] = (basis @ left[:, :kept]) * np.sqrt(singular_values[:kept])
    return factors


def cooccurrence_embeddings(data, *, vocabulary, embedding_size, initializer_range, seed):
    """The word embeddings that a run starts with, from the first 50 million tokens of its own order.

    Args:
        data: folder of records.
        vocabulary: Vocabulary of the records.
        embedding_size: width of the embeddings.
        initializer_range: standard deviation of the weights that start at random; the answer's is three times that.
        seed: run seed.

    Returns:
        float32 [vocabulary, embedding_size]; special pieces and those that were not met start at random.

    >>> cooccurrence_embeddings("records", vocabulary=vocabulary, embedding_size=64, initializer_range=0.02,
    ...                         seed=0).shape   # (8192, 64)
    """
    manifest = check_records(data, vocabulary=vocabulary, splits=())
    batches = -(-min(manifest.splits["train"].rows, MOST_TOKENS // manifest.sequence_length) // _ROWS)
    special = [vocabulary.pad_id, vocabulary.unk_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id]
    context_of = _contexts(count_tokens(data, vocabulary=vocabulary, seed=seed), special)
    counts = np.zeros((vocabulary.size, context_of.max() + 1), np.float32)
    with Progress(batches, unit="parts of the records", description="Counting words that stand together") as progress:
        for number, batch in enumerate(pretraining_dataset(data, batch_size=_ROWS, seed=seed).take(batches)):
            documents = batch["document_ids"].numpy() if "document_ids" in batch else None
            count_cooccurrences(batch["token_ids"].numpy(), counts=counts, context_of=context_of,
                                document_ids=documents)
            progress.update(number + 1)
    counts[special] = 0
    is_known = counts.any(axis=1)
    factors = leading_factors(positive_pmi(counts), embedding_size, seed=seed)
    embeddings = np.random.default_rng(seed).normal(0, initializer_range, factors.shape).astype(np.float32)
    embeddings[is_known] = factors[is_known] * (SCALE * initializer_range / factors[is_known].std())
    return embeddings


def _contexts(frequency, special):
    """Column of each piece as a context; -1 for a special one, and for the rare ones of a large vocabulary."""
    ranked = [piece for piece in np.argsort(-frequency, kind="stable") if piece not in special][:MOST_CONTEXTS]
    context_of = np.full(len(frequency), -1, np.int64)
    context_of[ranked] = np.arange(len(ranked))
    return context_of
