"""Signs that a run learns nothing, read from its own log: one sentence each, with the likely cause and a remedy.

The total loss looks healthy in all these cases, because the discriminator's part is multiplied by 50. Early in a run
most of them are normal, so nothing is said before the run has had the tokens that healthy ones need.
"""

import dataclasses

# The log is read in windows of so many tokens: below, the numbers of a small batch jump by chance.
_WINDOW_TOKENS = 100_000
_WINDOWS = 3  # A sign must hold for so many windows in a row.

# Healthy tiny runs pass the loss of the word frequencies within 2 M tokens. They stay within 2 % of the constant guess
# far longer: the easy wins against an untrained generator are lost again when it begins to learn.
_GENERATOR_TOKENS = 20_000_000
_DISCRIMINATOR_TOKENS = 50_000_000

_RISE = 0.5  # nats above the best window
_UNIGRAM_SHARE, _CONSTANT_GUESS_SHARE = 0.97, 0.995  # of the loss that knowing nothing reaches
_ONLY_ORIGINALS = 0.95  # share of the samples that hit the original token


@dataclasses.dataclass(frozen=True)
class CollapseWarning:
    """One sign: a name for programs and a sentence for people."""

    cause: str
    message: str


def collapse_warnings(records, *, warmup_steps, generator_tokens=_GENERATOR_TOKENS,
                      discriminator_tokens=_DISCRIMINATOR_TOKENS, window_tokens=_WINDOW_TOKENS, generator_learns=True):
    """What is wrong with a run, as far as its log tells.

    Args:
        records: the run's history, see `log_file.history`; "start" records hold unigram_loss, the loss of a generator
            that knows the word frequencies and nothing else.
        warmup_steps: of the run's optimizer; tokens are counted from the end of the warm-up.
        generator_tokens: tokens after which the generator must be better than the word frequencies.
        discriminator_tokens: tokens after which the discriminator must be better than a constant guess.
        window_tokens: tokens over which numbers are averaged before they are judged.
        generator_learns: whether the generator's loss is to fall: a uniform one's is constant, an adversarial one's is
            a reward.

    Returns:
        List of CollapseWarning; empty for a healthy run, and for a young one.

    >>> [warning.cause for warning in collapse_warnings(records, warmup_steps=200)]   # ['generator_does_not_learn']
    """
    train = [record for record in records if record["event"] == "train"]
    warm = [record for record in train if record["step"] > warmup_steps]
    windows = _windows(warm, window_tokens)
    if len(windows) < _WINDOWS:
        return []
    last = windows[-_WINDOWS:]
    tokens = windows[-1]["tokens"] - warm[0]["tokens"]
    unigram = next((record["unigram_loss"] for record in reversed(records) if record["event"] == "start"), None)
    best = min(window["generator_loss"] for window in windows)
    found = []
    if not generator_learns:
        unigram, best = None, float("inf")
    if all(window["generator_loss"] > best + _RISE for window in last):
        found.append(_generator_rises(last[-1], best))
    elif unigram is not None and tokens >= generator_tokens and all(
            window["generator_loss"] > _UNIGRAM_SHARE * unigram for window in last):
        found.append(_generator_does_not_learn(last[-1], unigram))
    if all(window["sampled_originals"] > _ONLY_ORIGINALS for window in last):
        found.append(_generator_samples_only_originals(last[-1]))
    elif tokens >= discriminator_tokens and all(  # a constant guess of 0 means that there is no discriminator
            0 < _CONSTANT_GUESS_SHARE * window["constant_guess_loss"] < window["discriminator_loss"]
            for window in last):
        found.append(_discriminator_at_constant_guess(last[-1]))
    return found


def _windows(train, window_tokens):
    """Train records joined until each window is long enough; means weighted by steps, the tail left out."""
    windows, waiting = [], []
    begin = train[0]["tokens"] if train else 0
    for record in train[1:]:
        waiting.append(record)
        if record["tokens"] - begin >= window_tokens:
            windows.append(_mean(waiting))
            waiting, begin = [], record["tokens"]
    return windows


def _mean(records):
    steps = sum(record["steps"] for record in records)
    names = ("generator_loss", "sampled_originals", "discriminator_loss", "constant_guess_loss", "replaced_fraction")
    return {"tokens": records[-1]["tokens"],
            **{name: sum(record[name] * record["steps"] for record in records) / steps for name in names}}


def _generator_rises(window, best):
    return CollapseWarning("generator_rises", (
        f"the generator's loss has risen from {best:.2f} to {window['generator_loss']:.2f}: most likely the learning "
        f"rate is too high for this batch size. Start anew with a lower optimizer.learning_rate or a larger batch_size "
        f"(accumulation_steps keeps the memory as it is)."))


def _generator_does_not_learn(window, unigram):
    return CollapseWarning("generator_does_not_learn", (
        f"the generator's loss is {window['generator_loss']:.2f} after {_millions(window)} tokens, no better than the "
        f"word frequencies alone ({unigram:.2f}): most likely the learning rate is too low or far too high, or the "
        f"records do not hold the language they should. Look at some rows and at the [UNK] rate in the manifest, then "
        f"try three times and a third of optimizer.learning_rate."))


def _generator_samples_only_originals(window):
    return CollapseWarning("generator_samples_only_originals", (
        f"{window['sampled_originals']:.0%} of the generator's samples are the original tokens, so only "
        f"{window['replaced_fraction']:.2%} of all tokens are replaced and the discriminator has nothing to find: most "
        f"likely the generator sees what it must predict, or the corpus repeats itself. Check "
        f"masking.mask_symbol_rate (usually 0.85), masking.temperature (1.0) and the corpus for duplicates, or take a "
        f"smaller model.generator_size."))


def _discriminator_at_constant_guess(window):
    return CollapseWarning("discriminator_at_constant_guess", (
        f"the discriminator's loss is {window['discriminator_loss']:.4f} after {_millions(window)} tokens, that of "
        f"always answering \"original\" ({window['constant_guess_loss']:.4f}): most likely the learning rate is too "
        f"high for this batch size, or discriminator_weight too small (usually 50). Start anew with a lower "
        f"optimizer.learning_rate, a longer optimizer.warmup_steps or a larger batch_size."))


def _millions(window):
    return f"{window['tokens'] / 1e6:.0f} M"
