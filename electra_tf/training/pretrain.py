"""One pretraining run, from records to model folders: started, stopped and resumed without a trace."""

import dataclasses
import hashlib
import pathlib
import sys

import keras

from electra_tf import kernels
from electra_tf.config import generator_of, read_json, replace, to_dict
from electra_tf.errors import InputError
from electra_tf.model.precision import dtype_policy
from electra_tf.objective.masking import SpecialIds
from electra_tf.progress import Progress
from electra_tf.records.manifest import VOCABULARY_NAME, Manifest, check_records, read_vocabulary
from electra_tf.training.baselines import count_tokens, unigram_loss
from electra_tf.training.callbacks.console import Console
from electra_tf.training.callbacks.curve import Curve, draw_curve
from electra_tf.training.callbacks.log_file import LogFile, history, read_log
from electra_tf.training.callbacks.tensorboard import TensorBoard
from electra_tf.training.checkpoint import latest_checkpoint, restore_checkpoint, training_variables
from electra_tf.training.distribution import require_equal_parts, strategy_for
from electra_tf.training.first_tables import assign_first_tables
from electra_tf.training.initial_weights import read_initial_weights
from electra_tf.training.optimizer import optimizer_for
from electra_tf.training.pretrainer import ElectraPretrainer
from electra_tf.training.run_clock import RunClock
from electra_tf.training.run_folder import RESULT_FILE, SETTINGS_FILE, create_run_folder, write_result
from electra_tf.training.run_weights import CHECKPOINTS, is_run, read_run_weights, save_networks
from electra_tf.training.stop_signals import StopSignals
from electra_tf.training.training_loop import Trainer

JOB = "pretrain"
_LARGE_GENERATOR = 0.75  # share of the discriminator's width times depth
# Less of the rate than this is worth a warning.
_LEAST_OF_RATE = 0.7


@dataclasses.dataclass(frozen=True)
class PretrainingResult:
    """What a call of `pretrain` reached.

    Attributes:
        folder: the run; its `discriminator` and `generator` are model folders once it is finished.
        step: updates done in all.
        train_steps: updates of the whole run; None in a run with a time budget that has not used it yet.
        stopped_by: signal.Signals that ended the call early, or None.
        metrics: name -> float, the last held-out evaluation, or the last training numbers where nothing is held out.
    """

    folder: pathlib.Path
    step: int
    train_steps: int
    stopped_by: object
    metrics: dict

    @property
    def is_finished(self):
        return self.step == self.train_steps


def pretrain(config, *, data, output, init_from=None, distribution="one_device", logical_devices=None):
    """Trains an ELECTRA on records; called again with the same arguments, goes on where it was stopped.

    Killed at any moment and called again, it ends with the same weights as if it had never stopped (bit for bit on a
    CPU with the same number of threads). SIGTERM and SIGINT end it after the updates at hand, with a checkpoint.

    With `config.time_budget` the clock ends the run, and two runs are never the same. All that a call does up to its
    last update counts: reading, counting words, compiling, training, evaluations and checkpoints. The last evaluation
    and the model folders do not, nor does what a kill undid, nor the time between two calls.

    Args:
        config: PretrainingConfig; the vocabulary size, and the length where it is None, are taken from the records.
        data: folder of records.
        output: folder of the run: new, empty, or made by the same call before.
        init_from: run or model folder whose weights start the run, or None; it goes before the config's
            `first_embeddings` and `first_positions`.
        distribution: "one_device", "mirrored" or "tpu".
        logical_devices: number of devices to cut the CPU into, or None.

    Returns:
        PretrainingResult.

    Raises:
        InputError: settings, records, output or initial weights that cannot be used; or a loss or gradient that is not
            finite, with the last checkpoint intact.

    >>> pretrain(preset("small"), data="records", output="runs/small").metrics["discriminator_loss"]   # 0.21
    """
    if not config.optimizer.word_embeddings_rate and config.first_embeddings == "random" and init_from is None:
        raise InputError("optimizer.word_embeddings_rate=0 would keep random word embeddings; set it to 1, or start "
                         "from --first_embeddings=cooccurrence or --init_from.")
    clock = RunClock(config.budget_seconds)
    manifest, vocabulary = _read_data(data, config)
    config = replace(config, sequence_length=manifest.sequence_length,
                     model=replace(config.model, vocabulary_size=vocabulary.size))
    strategy = strategy_for(distribution, logical_devices=logical_devices)
    require_equal_parts(config, strategy)
    words_alone = unigram_loss(count_tokens(data, vocabulary=vocabulary, seed=config.seed))
    checkpoint = latest_checkpoint(pathlib.Path(output) / CHECKPOINTS, report=_say)
    initial = None
    if init_from is not None and checkpoint is None:
        initial = read_initial_weights(init_from, config=config, vocabulary=vocabulary, report=_say)
        if not config.optimizer.word_embeddings_rate:
            if "generator/" in initial.new and config.objective.shared == "nothing":
                raise InputError("optimizer.word_embeddings_rate=0 would keep the random word embeddings of a "
                                 "generator that shares nothing and is not in --init_from; set it to 1.")
            _say("The word embeddings stay as they are there (optimizer.word_embeddings_rate=0), those of new pieces "
                 "too; --set optimizer.word_embeddings_rate=1 trains them.")
    if config.time_budget is not None:
        _say(f"The clock ends the run after {config.time_budget}; train_steps is not read (with --time_budget=None it "
             f"is).")
    for warning in filter(None, (large_generator_warning(config), long_warmup_warning(config))):
        _say(warning)
    folder = _run_folder(output, {**to_dict(config), "init_from": None if init_from is None else str(init_from),
                                  "inputs": _fingerprints(manifest)})
    if not (folder / VOCABULARY_NAME).is_dir():
        vocabulary.save(folder / VOCABULARY_NAME)
    if checkpoint is not None:
        clock.earlier = checkpoint.state.seconds or 0.0
        finished = read_json(folder / RESULT_FILE) if (folder / RESULT_FILE).is_file() else {"step": None}
        if finished["step"] == checkpoint.state.step:
            _say(f"Nothing left to train: {folder} has done its {finished['step']:,} steps.")
            return _result(folder, finished, stopped_by=None)
    pretrainer = new_pretrainer(config, vocabulary, strategy)
    if checkpoint is not None:
        restore_checkpoint(checkpoint, training_variables(pretrainer))
    elif initial is not None:
        initial.assign_to(pretrainer)
        _say(initial.told)
    else:
        assign_first_tables(pretrainer, config=config, data=data, vocabulary=vocabulary)
    _say(f"Activations in {pretrainer.compute_dtype}; {_operations_told(pretrainer)}.")
    train_steps = config.train_steps if config.time_budget is None else None
    with StopSignals() as stop, Progress(train_steps, unit="steps", description="Pretraining",
                                         start=checkpoint.state.step if checkpoint else 0) as progress:
        console = Console(progress, tells_time_left=train_steps is None)
        trainer = Trainer(pretrainer, config=config, strategy=strategy, manifest=manifest, data=data, folder=folder,
                          clock=clock, show_step=console.update,
                          listeners=(LogFile(folder), TensorBoard(folder), Curve(folder), console))
        trainer.train(stop, unigram_loss=words_alone)
    if not trainer.is_finished:
        return _result(folder, {"step": trainer.step, "train_steps": train_steps}, stopped_by=stop.received)
    return _finish(folder, step=trainer.step)


def large_generator_warning(config):
    """A sentence where generator and discriminator are to be trained together and the generator is nearly as large.

    Args:
        config: PretrainingConfig.

    Returns:
        str, empty where there is nothing to say.

    >>> large_generator_warning(preset("small"))   # ''
    """
    main, generator = config.model, generator_of(config.model, config.objective)
    share = generator.hidden_size * generator.num_layers / (main.hidden_size * main.num_layers)
    is_joint = config.objective.name == "electra" and config.objective.generator == "masked" and (
        config.discriminator_weight and config.objective.shared != "everything")
    if not is_joint or share < _LARGE_GENERATOR:
        return ""
    return (f"The generator is {share:.0%} as large as the discriminator: its samples soon are hard to tell from the "
            f"text, which leaves the discriminator little to learn, and it costs as much. A quarter to a half was best "
            f"in the paper (figure 3); consider --set model.generator_size=0.25.")


def long_warmup_warning(config):
    """A sentence where the rate, still rising when the run must end, stays far below what was asked for.

    Args:
        config: PretrainingConfig.

    Returns:
        str, empty where there is nothing to say.

    >>> long_warmup_warning(replace(preset("small"), train_steps=5000))   # 'Warm-up takes 10,000 of 5,000 updates, ...'
    """
    warmup, steps, optimizer = config.optimizer.warmup_steps, config.train_steps, config.optimizer
    if config.time_budget is not None or not warmup:
        return ""
    step = min(warmup, steps / (1 + optimizer.decay_power))  # of the highest rate
    highest = step / warmup * (1 - step / steps) ** optimizer.decay_power
    if highest >= _LEAST_OF_RATE:
        return ""
    return (f"Warm-up takes {warmup:,} of {steps:,} updates, so the rate never exceeds {highest:.0%} of "
            f"{optimizer.learning_rate:g}; --set optimizer.warmup_steps={max(1, steps // 10)} is usual for such a run.")


def _say(sentence):
    print(sentence, file=sys.stderr, flush=True)


def _read_data(data, config):
    """(Manifest, Vocabulary) of the records, held-out files checked; those trained on are when they are first read."""
    manifest = check_records(data, sequence_length=config.sequence_length, splits=("validation",))
    vocabulary = read_vocabulary(data)
    check_records(data, vocabulary=vocabulary, splits=())
    if manifest.cls_id is not None and config.objective.name == "electric":
        raise InputError(f"{data} holds several documents in a row, but objective.name='electric' also judges the ends "
                         f"of a row, whose neighbours are then another document's; build the records with "
                         f"--packing=carry_over.")
    return manifest, vocabulary


def _fingerprints(manifest: Manifest):
    """What tells whether a resumed run sees the data that it began with, wherever the folder has moved."""
    shards = [shard.sha256 for split in sorted(manifest.splits) for shard in manifest.splits[split].shards]
    return {"records": hashlib.sha256("\n".join(shards).encode()).hexdigest(), "vocabulary": manifest.vocabulary_hash}


def _run_folder(output, settings):
    try:
        return create_run_folder(output, job=JOB, settings=settings, resume=True)
    except InputError as error:
        if _has_trained_nothing(pathlib.Path(output)):
            raise InputError(f"{error} Nothing has been trained in it that would be lost if you remove it.") from None
        if not is_run(output):
            raise
        raise InputError(f"{error} To go on from its weights with other settings, also give "
                         f"--init_from={output}.") from None


def _has_trained_nothing(folder):
    """Whether a folder is that of a pretraining run that died before its first checkpoint, and of nothing else."""
    return ((folder / SETTINGS_FILE).is_file() and read_json(folder / SETTINGS_FILE).get("job") == JOB
            and not (folder / RESULT_FILE).is_file() and not any((folder / CHECKPOINTS).glob("*")))


def _operations_told(pretrainer):
    if pretrainer.uses_kernels:
        return "training steps take the fused CPU operations"
    reason = kernels.why_not(pretrainer.compute_dtype)
    return "training steps take TensorFlow's own operations" + (f", as {reason}" if reason else "")


def new_pretrainer(config, vocabulary, strategy):
    """The compiled ElectraPretrainer of a run at its beginning, the same for the same seed.

    Args:
        config: PretrainingConfig, complete.
        vocabulary: Vocabulary of the records.
        strategy: tf.distribute strategy.
    """
    keras.utils.set_random_seed(config.seed)
    with strategy.scope():
        pretrainer = ElectraPretrainer(
            config.model, masking=config.masking, objective=config.objective, seed=config.seed,
            special_ids=SpecialIds.of(vocabulary),
            generator_weight=config.generator_weight, discriminator_weight=config.discriminator_weight,
            accumulation_steps=config.accumulation_steps, kernels=config.kernels,
            dtype=dtype_policy(config.precision))
        pretrainer.compile(optimizer=optimizer_for(config))
    return pretrainer


def _finish(folder, *, step):
    """Writes what a finished run leaves: model folders, the curve and result.json."""
    save_networks(read_run_weights(folder), folder)
    draw_curve(folder)
    everything = read_log(folder)
    records = history(everything)
    train, validation = (next((record for record in reversed(records) if record["event"] == event), None)
                         for event in ("train", "validation"))
    executed = [record for record in everything if record["event"] == "train"]
    result = {"job": JOB, "step": step, "train_steps": step, "train": train,
              "validation": validation, "warnings": [record for record in records if record["event"] == "warning"],
              "executed_steps": sum(record["steps"] for record in executed),
              "training_seconds": sum(record["seconds"] for record in executed)}
    write_result(folder, result)
    return _result(folder, result, stopped_by=None)


def _result(folder, values, *, stopped_by):
    record = values.get("validation") or values.get("train") or {}
    return PretrainingResult(folder, values["step"], values["train_steps"], stopped_by,
                             {name: value for name, value in record.items() if isinstance(value, float)})
