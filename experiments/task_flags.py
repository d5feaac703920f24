"""Flags for the options of every task, from the dataclasses in which they are defined."""

import dataclasses
import typing

from electra_tf.config import unknown_name_error
from electra_tf.errors import InputError

_NOT_GIVEN = (None, ())


def with_task_options(flags_class, tasks, *, only=None):
    """A job's dataclass with one more flag for each option that any task has; without a value it is the task's own.

    Args:
        flags_class: frozen dataclass of the job's other flags.
        tasks: dict of name -> frozen dataclass of options.
        only: names of the options that the job takes; None for all.

    >>> Flags = with_task_options(JobFlags, TASKS)
    """
    fields = {}
    for name, task in tasks.items():
        hints = typing.get_type_hints(task)
        for field in _options(task, only):
            kind, description, owners = fields.get(field.name, (hints[field.name], field.metadata["help"], []))
            fields[field.name] = (kind, description, [*owners, name])
    added = [(name, kind, dataclasses.field(default=() if typing.get_origin(kind) is tuple else None,
                                            metadata={"help": f"{description} ({', '.join(owners)})"}))
             for name, (kind, description, owners) in fields.items()]
    made = dataclasses.make_dataclass(flags_class.__name__, added, bases=(flags_class,), frozen=True, kw_only=True)
    made.__doc__ = flags_class.__doc__
    return made


def task_from(flags, tasks, *, name=None):
    """The options of the task of a name; None for the one that `flags.task` names.

    Raises:
        InputError: no such task, an option of another task, or one that does not fit.

    >>> task_from(flags, TASKS)   # TextClassification(text_columns=("sentence",), label_column="label")
    """
    name = flags.task if name is None else name
    if name not in tasks:
        raise unknown_name_error("--task", name, tasks)
    taken = vars(flags)
    options = {field.name for task in tasks.values() for field in _options(task, taken)}
    given = {option: taken[option] for option in options if taken[option] not in _NOT_GIVEN}
    own = [field.name for field in _options(tasks[name], taken)]
    for flag in given:
        if flag not in own:
            raise InputError(f"--{flag} says nothing to --task={name}; its options are "
                             f"{', '.join(f'--{option}' for option in own)}.")
    return tasks[name](**given)


def _options(task, names):
    """The fields of a task's options that have one of some names; None for all."""
    return [field for field in dataclasses.fields(task) if names is None or field.name in names]
