"""Which number of a step was not finite."""

import math


def not_finite_tensor(pretrainer, metrics):
    """The first tensor of the last update that was not finite, in the order of the computation.

    Args:
        pretrainer: compiled ElectraPretrainer.
        metrics: name -> float, its metrics up to that update.

    Returns:
        Text such as "generator loss" or "gradient of generator/head/dense/kernel"; None where everything was finite.

    >>> not_finite_tensor(pretrainer, read_and_reset_metrics(pretrainer))   # 'generator loss'
    """
    index = pretrainer.optimizer.first_not_finite()
    if index is None:
        return None
    for name in ("generator_loss", "discriminator_loss"):
        if not math.isfinite(metrics[name]):
            return name.replace("_", " ")
    wrong = pretrainer.trainable_variables[index]
    return "gradient of " + next(name for name, variable in pretrainer.weights_by_name().items() if variable is wrong)
