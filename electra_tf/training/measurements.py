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


def amount_done(step, config, manifest):
    """How far a run is, in the units people think in.

    Args:
        step: updates done.
        config: PretrainingConfig.
        manifest: Manifest of the records.

    Returns:
        Dict: examples and tokens (padding left out) consumed, epochs over the corpus.

    >>> amount_done(1000, config, manifest)["epochs"]   # 2.13
    """
    examples = step * config.batch_size
    return {"examples": examples, "tokens": round(examples * _tokens_per_row(manifest)),
            "epochs": examples / manifest.splits["train"].rows}


def speed(steps, seconds, *, steps_left, config, manifest):
    """What `steps` updates in `seconds` mean; zeros where nothing was timed yet.

    Returns:
        Dict: tokens_per_second (padding left out), seconds_left, and the seconds themselves.

    >>> speed(100, 50.0, steps_left=900, config=config, manifest=manifest)["seconds_left"]   # 450.0
    """
    steps_per_second = steps / seconds if steps else 0.0
    return {"tokens_per_second": steps_per_second * config.batch_size * _tokens_per_row(manifest),
            "seconds": seconds, "seconds_left": steps_left / steps_per_second if steps else 0.0}


def _tokens_per_row(manifest):
    return (1 - manifest.splits["train"].padding_share) * manifest.sequence_length
