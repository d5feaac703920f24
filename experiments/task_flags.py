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
    return tasks[name](**_given(flags, tasks, name, _options(tasks[name], vars(flags))))


def with_options(task, flags, tasks, *, name, known):
    """A task whose columns are known, with what flags say of its other options.

    Args:
        task: options of one of the tasks.
        flags, tasks: as for `task_from`.
        name: what --task calls it.
        known: names of its options that no flag may change; a settings.json repeats them.

    Raises:
        InputError: an option that it does not have or that is known, or one that does not fit.

    >>> with_options(glue_data("glue/rte").task, flags, TASKS, name="glue/rte", known=["text_columns", "label_column"])
    """
    own = [field for field in _options(task, vars(flags)) if field.name not in known]
    repeated = {option for option in known if vars(flags).get(option) == getattr(task, option)}
    return dataclasses.replace(task, **_given(flags, tasks, name, own, passed_over=repeated))


def _given(flags, tasks, name, own, *, passed_over=()):
    """Dict of the options that flags have a value for; InputError for one that is not among the task's own fields."""
    taken = vars(flags)
    options = {field.name for task in tasks.values() for field in _options(task, taken)} - set(passed_over)
    given = {option: taken[option] for option in options if taken[option] not in _NOT_GIVEN}
    for flag in given:
        if flag not in {field.name for field in own}:
            raise InputError(f"--{flag} says nothing to --task={name}; its options are "
                             f"{', '.join(f'--{field.name}' for field in own)}.")
    return given


def _options(task, names):
    """The fields of a task's options that have one of some names; None for all."""
    return [field for field in dataclasses.fields(task) if names is None or field.name in names]
