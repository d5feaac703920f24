"""The numbers of a run between two log lines."""


def read_and_reset_metrics(pretrainer):
    """Name -> float of all metrics since the last call.

    Args:
        pretrainer: ElectraPretrainer.

    >>> read_and_reset_metrics(pretrainer)["discriminator_loss"]   # 0.39
    """
    values = {}
    for metric in pretrainer.metrics:
        result = metric.result()
        values.update(result if isinstance(result, dict) else {metric.name: result})
        metric.reset_state()
    return {name: float(value) for name, value in values.items()}


def training_progress(step, *, config, manifest, steps_per_second):
    """How far a run is, in the units people think in.

    Args:
        step: updates done.
        config: PretrainingConfig.
        manifest: Manifest of the records.
        steps_per_second: speed, 0 where it is not known yet.

    Returns:
        Dict: examples and tokens (padding left out) consumed, epochs over the corpus, tokens_per_second, seconds_left.

    >>> training_progress(1000, config=config, manifest=manifest, steps_per_second=2.0)["epochs"]   # 2.13
    """
    split = manifest.splits["train"]
    tokens_per_row = (1 - split.padding_share) * manifest.sequence_length
    examples = step * config.batch_size
    left = (config.train_steps - step) / steps_per_second if steps_per_second else 0.0
    return {"examples": examples, "tokens": round(examples * tokens_per_row), "epochs": examples / split.rows,
            "tokens_per_second": steps_per_second * config.batch_size * tokens_per_row, "seconds_left": left}
