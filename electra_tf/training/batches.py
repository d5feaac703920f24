"""A run's batches on the devices of a strategy: each replica gets an equal part, the same rows whatever the devices."""

import tensorflow as tf

from electra_tf.records.dataset import pretraining_dataset


def training_batches(strategy, data, *, config, start):
    """Endless iterator over the run's batches from an input position on.

    Args:
        strategy: tf.distribute strategy.
        data: folder of records.
        config: PretrainingConfig; its batch_size is a multiple of the number of replicas.
        start: examples consumed before.

    >>> next(training_batches(strategy, "records", config=config, start=0))["token_ids"].shape   # [128, 128]
    """
    # Consecutive small batches go to the replicas in turn: the same rows as one batch cut into equal parts.
    part = config.batch_size // strategy.num_replicas_in_sync
    return iter(strategy.distribute_datasets_from_function(lambda context: pretraining_dataset(
        data, batch_size=part, seed=config.seed, start=start, sequence_length=config.sequence_length)))


def validation_batches(strategy, data, *, config):
    """Iterable over the first `config.evaluation_batches` batches of the held-out split, or all if it has fewer."""
    replicas = strategy.num_replicas_in_sync

    def parts(context):
        dataset = pretraining_dataset(data, batch_size=config.batch_size // replicas, split="validation",
                                      sequence_length=config.sequence_length)
        # Every replica needs a part of the last batch: rows of padding alone count nothing.
        nothing = dataset.take(1).map(lambda batch: {**batch, "padding_mask": tf.zeros_like(batch["padding_mask"])})
        whole = dataset.concatenate(nothing.repeat(-int(dataset.cardinality()) % replicas))
        return whole.take(config.evaluation_batches * replicas)
    return strategy.distribute_datasets_from_function(parts)
