"""The run for the person who watches it: a progress line with the newest numbers, and lines for what is special."""

from electra_tf.progress import clock_time


class Console:
    """Keeps the end of a progress line up to date and puts single sentences above it.

    Args:
        progress: Progress of the run, counted in steps.
        tells_time_left: whether the line ends with it, because steps do not tell: the clock ends the run.

    >>> Console(progress)({"event": "warning", "step": 900, "message": "The generator does not learn."})
    """

    def __init__(self, progress, *, tells_time_left=False):
        self._progress, self._note, self._tells_time_left = progress, "", tells_time_left

    def update(self, step):
        """Moves the progress line to a step."""
        self._progress.update(step, note=self._note)

    def __call__(self, record):
        if record["event"] == "train":
            self._note = (f"{_networks(record)}, {record['tokens_per_second']:,.0f} tokens/s, "
                          f"{record['epochs']:.3g} epochs")
            if self._tells_time_left:
                self._note += f", {clock_time(record['seconds_left'])} left"
        elif (sentence := _sentence(record)) is not None:
            self._progress.say(f"step {record['step']:,}: {sentence}")


def _sentence(record):
    """What deserves a line of its own, else None."""
    if record["event"] == "validation":
        auc = f", AUC {record['discriminator_auc']:.3f}" if record["constant_guess_loss"] else ""
        return f"held out: {_networks(record)}{auc}"
    if record["event"] == "warning":
        return f"WARNING: {record['message']}"
    if record["event"] == "start" and record["step"]:
        return "resumed"
    if record["event"] == "stop":
        return f"{record['signal']}: saved and stopped; the same command goes on from here"
    return None


def _networks(record):
    told = f"generator {record['generator_loss']:.3f} (accuracy {record['generator_accuracy']:.3f})"
    if record["discriminator_loss"]:  # else the generator is trained alone
        told += f", discriminator {record['discriminator_loss']:.4f}"
    if record["constant_guess_loss"]:  # else it judges no replacements
        told += f" (constant guess {record['constant_guess_loss']:.4f})"
    return told
