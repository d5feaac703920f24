"""What every settings dataclass shares: fields with help, checks, and the way through JSON and dotted names."""

import dataclasses
import difflib
import json
import math
import re
import types
import typing

from electra_tf.errors import InputError


def setting(default, description):
    """A dataclass field with its one-line description, from which a job's flag takes its help text."""
    return dataclasses.field(default=default, metadata={"help": description})


def require(condition, message):
    """InputError with the message, unless the condition holds."""
    if not condition:
        raise InputError(message)


def require_whole_numbers(config, names, *, least=1):
    """InputError for the first of the named fields that is not a whole number from `least` up."""
    for name in names:
        value = getattr(config, name)
        require(isinstance(value, int) and value >= least, f"{name}={value!r} must be a whole number from {least} up.")


def require_one_of(config, name, known):
    """InputError where the named field holds none of the known words."""
    require(getattr(config, name) in known, f"{name}={getattr(config, name)!r} must be one of {', '.join(known)}.")


def seconds_of(name, text):
    """The seconds of a time such as 90s, 30m or 1.5h; InputError for another text, `name` says of which setting.

    >>> seconds_of("time_budget", "30m")   # 1800.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    require(match is not None and float(match[1]) > 0,
            f"{name}={text!r} must be a time above 0 such as 90s, 30m or 2h.")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def unknown_name_error(kind, name, known):
    """InputError for a name that does not exist, with the nearest that does."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}."
    return InputError(f"{kind} {name!r} does not exist; {hint}")


def replace(config, **changes):
    """`dataclasses.replace` that refuses unknown fields in one sentence.

    >>> replace(OptimizerConfig(), learning_rate=1e-3).learning_rate   # 0.001
    """
    known = [field.name for field in dataclasses.fields(config)]
    for name in changes:
        if name not in known:
            raise unknown_name_error(f"setting of {type(config).__name__}", name, known)
    return dataclasses.replace(config, **changes)


def _convert(field_type, value, name):
    """A JSON or command line value as the field's type; refuses what does not fit."""
    origin = typing.get_origin(field_type)
    if origin in (typing.Union, types.UnionType):
        if value is None or value == "None":
            return None
        field_type = next(option for option in typing.get_args(field_type) if option is not type(None))
    if dataclasses.is_dataclass(field_type):
        return from_dict(field_type, value) if isinstance(value, dict) else value
    try:
        if field_type is bool:
            if isinstance(value, bool):
                return value
            return {"true": True, "false": False}[str(value).lower()]
        if field_type is int:
            number = float(value)
            if number != int(number):
                raise ValueError
            return int(value) if isinstance(value, (int, str)) and str(value).lstrip("+-").isdigit() else int(number)
        if field_type is float:
            number = float(value)
            if not math.isfinite(number):
                raise ValueError
            return number
        return field_type(value)
    except (TypeError, ValueError, KeyError, OverflowError):
        raise InputError(f"{name}={value!r} is not {field_type.__name__}; give a value like "
                         f"{ {bool: 'true', int: '128', float: '0.1'}.get(field_type, 'text')}.") from None


def to_dict(config):
    """The settings as nested dictionaries of plain values, ready for JSON."""
    return dataclasses.asdict(config)


def from_dict(config_class, values):
    """Settings from nested dictionaries; unknown names are refused, missing ones take their defaults.

    >>> from_dict(MaskingConfig, {"mask_rate": 0.25}).mask_rate   # 0.25
    """
    hints = typing.get_type_hints(config_class)
    known = {field.name for field in dataclasses.fields(config_class)}
    for name in values:
        if name not in known:
            raise unknown_name_error(f"setting of {config_class.__name__}", name, known)
    return config_class(**{name: _convert(hints[name], value, name) for name, value in values.items()})


def merged(config, values):
    """Settings with those of nested dictionaries put over them.

    >>> merged(PretrainingConfig(), {"masking": {"mask_rate": 0.25}}).masking.mask_rate   # 0.25
    """
    return replace(config, **{name: merged(getattr(config, name), value) if isinstance(value, dict) else value
                              for name, value in values.items()})


def with_overrides(config, assignments):
    """Settings changed by dotted names, as in `--set optimizer.learning_rate=1e-3`.

    Args:
        config: a settings dataclass.
        assignments: sequence of "name=value"; dots lead into nested settings.

    Returns:
        A new dataclass of the same class.

    >>> with_overrides(PretrainingConfig(), ["model.num_layers=2"]).model.num_layers   # 2
    """
    values = to_dict(config)
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise InputError(f"--set {assignment!r} has no '='; write --set optimizer.learning_rate=1e-3.")
        *groups, last = name.strip().split(".")
        place, where = values, type(config).__name__
        for group in groups:
            if not isinstance(place.get(group), dict):
                raise unknown_name_error(f"--set {name}: group of settings", group,
                                         [key for key, inner in place.items() if isinstance(inner, dict)])
            place, where = place[group], group
        if last not in place or isinstance(place[last], dict):
            raise unknown_name_error(f"--set {name}: setting of {where}", last,
                                     [key for key, inner in place.items() if not isinstance(inner, dict)])
        place[last] = value.strip()
    return from_dict(type(config), values)


def read_json(path):
    """The JSON object in a file, or one sentence with file, line and column."""
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the path of a JSON file.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; give the path of a JSON file.") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}).") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not JSON, byte {error.start} is not UTF-8.") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} holds a {type(values).__name__}; expected a JSON object {{...}}.")
    return values
