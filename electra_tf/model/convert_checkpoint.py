"""From a checkpoint of any known program to a folder of any other."""

import dataclasses
import pathlib

import numpy as np

from electra_tf.convert.extended_vocabulary import with_extended_vocabulary
from electra_tf.convert.formats import FOREIGN, KERAS_HUB, ORIGINAL, OURS, read_foreign, recognize, write_foreign
from electra_tf.convert.longer_positions import with_longer_positions
from electra_tf.convert.names import TEXT_TASKS
from electra_tf.errors import InputError
from electra_tf.files import new_folder, require_new_or_empty
from electra_tf.model.encoder import ElectraEncoder, encoder_weights
from electra_tf.model.model_folder import (
    SHIPPED_MODELS,
    WEIGHTS_DTYPES,
    assign_weights,
    load_model_folder,
    save_model_folder,
)
from electra_tf.text.vocabulary import TextSettings, Vocabulary, is_cased, read_pieces

FORMATS = (OURS, *FOREIGN)
PARTS = ("discriminator", "generator", "encoder")
_IN_RUNS = ("model", "discriminator", "encoder", "generator")
_TUNED = (*TEXT_TASKS, "multiple_choice", "token_classifier", "question_answerer")
_PROBE_ROWS, _PROBE_LENGTH = 8, 64


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What was converted.

    Attributes:
        source: format of the input.
        folders: kind of each model -> the folder it was written to.
        told: sentences about what was left out, assumed or cannot be represented.
    """

    source: str
    folders: dict
    told: tuple


def convert_checkpoint(source, output, *, to, part=None, vocabulary=None, num_heads=None, extend_vocabulary=None,
                       max_positions=None, position_extension="copy", pairs=None, sequence_length=None,
                       weights_dtype="float32"):
    """Reads a checkpoint, whose format is recognised by its content, and writes it in another format.

    Every variable of the source finds its place, or the error names it; what is left out on purpose is told.

    Args:
        source: a folder of electra_tf (a model or a run), the original implementation, Hugging Face or KerasHub; a
            checkpoint of the original may be named without its ending.
        output: the folder to make. Where the source holds discriminator and generator, each gets a folder inside,
            except in a checkpoint of the original, which holds both.
        to: "electra_tf", "original", "huggingface" or "keras_hub".
        part: "discriminator" or "generator" to take one of two, "encoder" to leave out the head; None takes all.
        vocabulary: vocabulary folder, or a vocab.txt, for a source without one.
        num_heads: attention heads, for a checkpoint of the original without bert_config.json.
        extend_vocabulary: vocabulary folder or file of pieces, one a line; those the model has not are added, each with
            the mean of the rows that it consisted of.
        max_positions: longest input of the result, more than now; None leaves it.
        position_extension: "copy" or "interpolation", how the rows for it are made; see `longer_table`.
        pairs: whether a tuned model of whole texts takes pairs of them, which no other format tells; None takes the
            folder's own, else what the original's name of the task says, else False.
        sequence_length: pieces of a tuned model's longest input, which no other format tells either; None takes the
            folder's own, else 128 or what the model can.
        weights_dtype: "float32", or "float16" for a file of half the size; of folders of electra_tf alone.

    Returns:
        Conversion.

    Raises:
        InputError: an unknown format, weights that do not fit, or a model that the format cannot represent.

    >>> convert_checkpoint("google/electra-small-discriminator", "electra-small", to="electra_tf").folders
    """
    if to not in FORMATS:
        raise InputError(f"to={to!r} is not known; choose one of {', '.join(FORMATS)}.")
    if part not in (None, *PARTS):
        raise InputError(f"part={part!r} is not known; choose one of {', '.join(PARTS)}.")
    if weights_dtype not in WEIGHTS_DTYPES:
        raise InputError(f"weights_dtype={weights_dtype!r} is not known; choose one of {', '.join(WEIGHTS_DTYPES)}.")
    if to != OURS and weights_dtype != "float32":
        raise InputError(f"weights_dtype={weights_dtype!r} is for folders of electra_tf, not for to={to!r}; leave it "
                         f"out.")
    require_new_or_empty(output)
    form, models = _read(source)
    told = [sentence for model in models[:1] for sentence in model.told]
    if num_heads is not None:
        models = [_with_heads(model, num_heads, form) for model in models]
        told.append(f"The number of heads is {num_heads}, as given.")
    if vocabulary is not None:
        models = [_with_vocabulary(model, vocabulary) for model in models]
        told.append(f"The vocabulary is that of {vocabulary}, as given.")
    if extend_vocabulary is not None:
        pieces = _pieces_of(extend_vocabulary)
        extended = [with_extended_vocabulary(model, pieces, where=extend_vocabulary) for model in models]
        models = [model for model, _ in extended]
        told.append(f"{extended[0][1]:,} new pieces from {extend_vocabulary}; the vocabulary has "
                    f"{models[0].vocabulary.size:,} now.")
    if max_positions is not None:
        models = [with_longer_positions(model, max_positions, extension=position_extension)
                  for model in models]
        told.append(f"Inputs may be {max_positions} tokens long; the new positions are made by {position_extension}.")
    if to != OURS and models[0].kind == "ensemble":
        raise InputError(f"{source} is an ensemble, which to={to!r} has no form for; convert the model of each trial "
                         f"(trials/SEED/model).")
    models = [_with_inputs(model, pairs, sequence_length, to) for model in _select(models, part, source, told)]
    output, folders = pathlib.Path(output), {}
    with new_folder(output) as temporary:
        if to == ORIGINAL or len(models) == 1:
            told += _write(temporary, models, to, weights_dtype)
            folders = {model.kind: output for model in models}
        else:
            for model in models:
                (temporary / model.kind).mkdir()
                told += _write(temporary / model.kind, [model], to, weights_dtype)
                folders[model.kind] = output / model.kind
    return Conversion(form, folders, tuple(dict.fromkeys(told)))


def _read(source):
    """(format, models) of a path; a run's folder holds its models inside."""
    path = pathlib.Path(source)
    form = recognize(path)
    if form in FOREIGN:
        return form, read_foreign(path)
    inner = [path / name for name in _IN_RUNS if recognize(path / name) == OURS]
    if form is None and inner:
        return OURS, [load_model_folder(folder) for folder in inner]
    if form is None and not (not path.exists() and (SHIPPED_MODELS / path).is_dir()):
        raise InputError(f"{source} holds no checkpoint of a known format; give a model folder or run of electra_tf, a "
                         f"TF1 checkpoint of the original, a Hugging Face folder or a KerasHub preset.")
    return OURS, [load_model_folder(source)]


def _write(folder, models, to, weights_dtype):
    """Fills a folder that is itself still under a temporary name; returns sentences."""
    if to != OURS:
        told = write_foreign(folder, models, to)
        is_exact = to == KERAS_HUB and models[0].config.activation != "gelu_tanh"
        return (*told, _what_keras_hub_changes(models[0])) if is_exact else told
    (model,) = models
    save_model_folder(folder, kind=model.kind, config=model.config, weights=model.weights, vocabulary=model.vocabulary,
                      extra=model.extra, weights_dtype=weights_dtype)
    return ()


def _select(models, part, source, told):
    if part is None:
        return models
    if part != "encoder":
        chosen = [model for model in models if model.kind == part]
        if not chosen:
            raise InputError(f"{source} holds no {part}, only {' and '.join(model.kind for model in models)}.")
        return chosen
    model = models[0]
    kept = {**model.starting_with("encoder/"), **model.starting_with("pooler/")}
    if left := [name for name in model.weights if name not in kept]:
        told.append(f"Left out, as the encoder alone was asked for: {', '.join(left)}.")
    config = dataclasses.replace(model.config, has_tied_output=True)
    return [dataclasses.replace(model, kind="encoder", config=config, weights=kept, extra={})]


def _with_heads(model, num_heads, form):
    if form != ORIGINAL:
        raise InputError(f"num_heads={num_heads}: the source says itself how many heads it has; leave num_heads out.")
    if model.kind == "generator":
        return model  # its heads follow from its width, as in the original
    return dataclasses.replace(model, config=dataclasses.replace(model.config, num_heads=num_heads))


def _with_inputs(model, pairs, sequence_length, to):
    """A tuned model that takes other inputs; those of a folder of ours alone are told by the folder."""
    given = {name: value for name, value in (("pairs", pairs), ("sequence_length", sequence_length))
             if value is not None}
    if not given:
        return model
    kinds = TEXT_TASKS if pairs is not None else _TUNED
    if to != OURS or model.kind not in kinds:
        raise InputError(f"{' and '.join(given)} can be given for folders of electra_tf with a model of kind "
                         f"{', '.join(kinds)}, and this is {model.kind!r} to be written as {to!r}.")
    if sequence_length is not None and not 3 <= sequence_length <= model.config.max_positions:
        raise InputError(f"sequence_length={sequence_length} must lie between 3 and the model's max_positions="
                         f"{model.config.max_positions}.")
    return dataclasses.replace(model, extra={**model.extra, **given})


def _with_vocabulary(model, path):
    if model.vocabulary is not None:
        raise InputError("the source has a vocabulary of its own, which its weights were trained with; leave "
                         "vocabulary out.")
    path = pathlib.Path(path)
    found = Vocabulary.load(path) if path.is_dir() else Vocabulary.from_file(path)
    if not path.is_dir() and is_cased(found.pieces):
        found = Vocabulary(found.pieces, TextSettings(lowercase=False, strip_accents=False))
    if found.size > model.config.vocabulary_size:
        raise InputError(f"{path} has {found.size} pieces, the word table only {model.config.vocabulary_size} rows; "
                         f"they do not belong together.")
    return dataclasses.replace(model, vocabulary=found)


def _pieces_of(path):
    path = pathlib.Path(path)
    return Vocabulary.load(path).pieces if path.is_dir() else read_pieces(path)


def _what_keras_hub_changes(model):
    """How far the encoder's output moves when its exact GELU becomes KerasHub's approximation, on random tokens."""
    random = np.random.default_rng(0)
    length = min(_PROBE_LENGTH, model.config.max_positions)
    token_ids = random.integers(model.config.vocabulary_size, size=(_PROBE_ROWS, length), dtype=np.int32)
    outputs = []
    for activation in ("gelu", "gelu_tanh"):
        encoder = ElectraEncoder(dataclasses.replace(model.config, activation=activation))
        assign_weights(encoder_weights(encoder), model.starting_with("encoder/"))
        outputs.append(encoder(token_ids).numpy())
    difference, size = abs(outputs[0] - outputs[1]), abs(outputs[0])
    return (f"KerasHub cannot represent this model's exact GELU and will compute its tanh approximation: on "
            f"{_PROBE_ROWS} rows of {length} random tokens the output differs by up to {difference.max():.1e} (mean "
            f"{difference.mean():.1e}; the values themselves are {size.mean():.1e} in the mean).")
