"""What every job shares: flags made from a dataclass, settings files, one-sentence errors.

A job file is one dataclass of flags and three moves, the settings read, one call, the result told:

    @dataclasses.dataclass(frozen=True)
    class Flags:
        \"\"\"Pretrains an ELECTRA on records.\"\"\"                                  # the head of --help
        data: str = job.required("folder of records")
        output: str = job.required("folder of the run")
        preset: str = config.setting("small", "named size")
        settings: config.PretrainingConfig = job.settings_from("preset", named=config.preset)  # a flag for each field

    def main(flags):
        result = electra_tf.pretrain(flags.settings, data=flags.data, output=flags.output)
        print(f"loss {result.loss:.3f}; the run is in {flags.output}")

    if __name__ == "__main__":
        job.run_job(main, Flags)

A field without a default is required; a `tuple[str, ...]` takes a comma-separated list and may be repeated. Values are
taken, each over the one before: defaults, the named preset, --config=FILE.json, flags (a --flagfile's where it stands),
--set. Heavy packages load when `main` first touches an attribute of `electra_tf`, never before.
"""

import csv
import dataclasses
import os
import pathlib
import sys

from absl import flags as absl_flags

from electra_tf.config import from_dict, read_json, to_dict, unknown_name_error, with_overrides
from electra_tf.errors import InputError
from experiments.flag_table import REQUIRED, FlagTable, default_of, help_text

_COMMON = ("config", "flagfile", "help")


def required(description):
    """A field of a job's flags that the user must give.

    >>> output: str = required("folder of the run")
    """
    return dataclasses.field(metadata={"help": description})


def settings_from(*flag_names, named):
    """A settings field whose defaults come from a named set that other flags choose.

    Args:
        *flag_names: the flags that hold the names, such as "preset"; each needs a default.
        named: function of those flags' values that returns the settings dataclass.

    >>> settings: config.PretrainingConfig = settings_from("preset", named=config.preset)
    """
    return dataclasses.field(default=None, metadata={"named_by": flag_names, "named": named})


def run_job(main, flags_class, argv=None):
    """Reads the flags, calls `main(flags)` and ends the process.

    Exit code 0 when `main` returns, 2 with one line on stderr for an InputError, 1 without a word where nobody reads
    the output any more; any other error keeps its traceback.

    Args:
        main: function of one `flags_class`.
        flags_class: frozen dataclass; its fields are the flags, at most one of them a settings dataclass.
        argv: program name and arguments; None takes those of the process.

    >>> run_job(main, Flags)
    """
    argv = list(sys.argv if argv is None else argv)
    # Before TensorFlow loads: its start-up notes would hide the job's own lines, and Keras reads its backend once.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        table = FlagTable.of(flags_class)
        given = _parse(table, argv)
        if given.pop("help", False):
            print(help_text(table, argv[0], given))
        else:
            main(_resolve(table, given, job_name=pathlib.Path(argv[0]).stem))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except InputError as error:
        print(f"{pathlib.Path(argv[0]).name}: {' '.join(str(error).splitlines())}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def read_flags(flags_class, argv):
    """The flags of a command line as a checked `flags_class`.

    Raises:
        InputError: a flag or setting is unknown, missing, or has no value or one that does not fit.

    >>> read_flags(Flags, ["pretrain.py", "--data=records", "--output=runs/small", "--batch_size=64"])
    """
    table = FlagTable.of(flags_class)
    return _resolve(table, _parse(table, argv), job_name=pathlib.Path(argv[0]).stem)


def settings_of(flags):
    """A job's flags as the settings.json that --config takes again: plain flags and plain settings side by side.

    >>> write_settings(flags.output, job="build_vocabulary", settings=settings_of(flags))
    """
    values = to_dict(flags)
    group = FlagTable.of(type(flags)).settings
    return values | values.pop(group.name) if group else values


def _parse(table, argv):
    """Dict of the flags that stand on the command line, still text (lists: a list of text)."""
    values = absl_flags.FlagValues()
    for field in (*table.own, *table.settings_fields):
        if table.type_of(field) is bool:
            absl_flags.DEFINE_boolean(field.name, None, "", flag_values=values)
        elif table.is_list(field):
            absl_flags.DEFINE_multi_string(field.name, None, "", flag_values=values)
        else:
            absl_flags.DEFINE_string(field.name, None, "", flag_values=values)
    if table.settings:
        absl_flags.DEFINE_multi_string("set", None, "", flag_values=values)
    absl_flags.DEFINE_string("config", None, "", flag_values=values)
    absl_flags.DEFINE_string("flagfile", None, "", flag_values=values)   # absl's own parser puts its lines in place
    absl_flags.DEFINE_boolean("help", None, "", short_name="h", flag_values=values)
    try:
        _, *unexpected = values(argv)
    except absl_flags.UnrecognizedFlagError as error:
        raise _unknown_flag(table, error.flagname) from None
    except absl_flags.CantOpenFlagFileError as error:
        raise InputError(f"--flagfile: {error.__context__}; give a text file with one flag in a line.") from None
    except (absl_flags.Error, ValueError) as error:
        raise InputError(f"{str(error).rstrip('.')}; --help shows what each flag takes.") from None
    if unexpected:
        raise InputError(f"argument {unexpected[0]!r} belongs to no flag; write --name=value, quoted if it has spaces.")
    return {name: values[name].value for name in values if values[name].present and name != "h"}


def _unknown_flag(table, name):
    """The error for a flag that does not exist; a nested setting given as a flag is shown with its --set."""
    if table.settings:
        for dotted in _dotted(to_dict(table.default_settings({}))):
            setting_name = dotted.partition("=")[0]
            if "." in setting_name and name in (setting_name, setting_name.rpartition(".")[2]):
                return InputError(f"flag '--{name}' does not exist; write --set {setting_name}=VALUE.")
    return unknown_name_error("flag", f"--{name}", [f"--{known}" for known in (*table.names, *_COMMON, "set")])


def _read_config_file(path, *, job_name):
    """The values of a --config file; the settings.json of a run says of which job, and on which inputs."""
    values = read_json(path)
    values.pop("inputs", None)
    written_by = values.pop("job", job_name)
    if written_by != job_name:
        raise InputError(f"--config: {path} holds settings of the job {written_by!r}, this is {job_name!r}; "
                         f"give a file of this job or remove its \"job\" entry.")
    return values


def _require_known(values, known, *, path, prefix=""):
    """Refuses names of a --config file that are neither flags nor settings; `known` is nested as the file may be."""
    for name, value in values.items():
        if name not in known:
            raise unknown_name_error(f"--config: {path}: setting", prefix + name, [prefix + key for key in known])
        if isinstance(known[name], dict):
            if not isinstance(value, dict):
                raise InputError(f"--config: {path}: {prefix}{name} is {value!r}; expected an object of settings.")
            _require_known(value, known[name], path=path, prefix=f"{prefix}{name}.")


def _dotted(values, prefix=""):
    """Nested settings as the "name=value" texts that --set takes."""
    texts = []
    for name, value in values.items():
        texts += _dotted(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}={value}"]
    return texts


def _resolve(table, given, *, job_name):
    """The checked dataclass from what was given on the command line and in the --config file."""
    from_file = _read_config_file(given["config"], job_name=job_name) if given.get("config") else {}
    own_names = [field.name for field in table.own]
    own = {name: value for name, value in {**from_file, **given}.items() if name in own_names}
    own |= {field.name: _list_of(own[field.name], is_text=field.name in given)
            for field in table.own if field.name in own and table.is_list(field)}

    settings = table.default_settings(own) if table.settings else None
    known = dict.fromkeys(own_names) | (to_dict(settings) if settings else {})
    _require_known(from_file, known, path=given.get("config"))
    missing = [f"--{field.name}" for field in table.own
               if default_of(field) is REQUIRED and own.get(field.name) in (None, "", [])]
    if missing:
        raise InputError(f"{' and '.join(missing)} must be given; --help shows what each flag takes.")

    if table.settings:
        # One construction at the end: flags may only be right together, such as a longer input and more positions.
        assignments = _dotted({name: value for name, value in from_file.items() if name not in own_names})
        assignments += [f"{field.name}={given[field.name]}" for field in table.settings_fields if field.name in given]
        own[table.settings.name] = with_overrides(settings, [*assignments, *given.get("set", [])])
    return from_dict(table.flags_class, own)


def _list_of(value, *, is_text):
    """A list flag's values. On a command line (`is_text`) each occurrence is a comma-separated list, quoted where a
    value holds a comma, and so is a text in a file; a list in a file is one already.
    """
    if not is_text and not isinstance(value, str):
        return [str(item) for item in (value if isinstance(value, list) else [value])]
    rows = [value] if isinstance(value, str) else value
    return [item.strip() for items in csv.reader(rows) for item in items if item.strip()]
