"""The flags of a job as a table, made from its dataclass, and the same table printed as --help."""

import dataclasses
import inspect
import textwrap
import typing

REQUIRED = dataclasses.MISSING


@dataclasses.dataclass(frozen=True)
class FlagTable:
    """What a job's dataclass says about its flags.

    own: fields of the job itself; settings: the one field that holds a settings dataclass, or None; settings_fields:
    the plain fields of that dataclass, each a flag too.
    """

    flags_class: type
    own: tuple
    settings: dataclasses.Field | None
    settings_fields: tuple

    @classmethod
    def of(cls, flags_class):
        """The table of a frozen dataclass.

        Raises:
            ValueError: the job is written wrongly: two flags of one name, or two settings fields.
        """
        hints = typing.get_type_hints(flags_class)
        fields = dataclasses.fields(flags_class)
        groups = [field for field in fields if dataclasses.is_dataclass(hints[field.name])]
        own = tuple(field for field in fields if field not in groups)
        plain = tuple(_plain_fields(hints[groups[0].name])) if groups else ()
        names = [field.name for field in (*own, *plain)]
        if len(groups) > 1 or len(set(names)) < len(names):
            raise ValueError(f"{flags_class.__name__}: one settings field at most, no name twice; found {names}")
        return cls(flags_class, own, groups[0] if groups else None, plain)

    @property
    def names(self):
        return [field.name for field in (*self.own, *self.settings_fields)]

    def type_of(self, field):
        """The type of one flag's value."""
        owner = self.flags_class if field in self.own else typing.get_type_hints(self.flags_class)[self.settings.name]
        return typing.get_type_hints(owner)[field.name]

    def is_list(self, field):
        return typing.get_origin(self.type_of(field)) is tuple

    def default_settings(self, values):
        """The settings before any flag: those of the named set, where the job has one, or the dataclass' defaults.

        Args:
            values: dict of the job's own flags that were given.
        """
        name_flags = self.settings.metadata.get("named_by")
        if name_flags is None:
            return default_of(self.settings)
        defaults = {field.name: default_of(field) for field in self.own}
        return self.settings.metadata["named"](*(values.get(name, defaults[name]) for name in name_flags))


def default_of(field):
    """A field's default value, or REQUIRED."""
    return field.default_factory() if field.default_factory is not REQUIRED else field.default


def help_text(table, command, values):
    """What --help prints: the job's own flags, its settings with the defaults that hold, and those behind --set.

    Args:
        table: FlagTable.
        command: how the job was called, for the usage line.
        values: dict of the job's own flags that were given, so that --preset=base --help shows what base holds.
    """
    required = [f"--{field.name}=..." for field in table.own if default_of(field) is REQUIRED]
    lines = [inspect.cleandoc(table.flags_class.__doc__ or ""), "",
             "usage: " + " ".join(["python", command, *required, "[flags]"]), "", "Flags of this job:"]
    lines += [_line(field, default_of(field), values.get(field.name)) for field in table.own]
    if table.settings:
        settings = table.default_settings(values)
        name_flags = " and ".join(f"--{name}" for name in table.settings.metadata.get("named_by", ()))
        lines += ["", "Settings" + (f" (defaults of the named {name_flags}):" if name_flags else ":")]
        lines += [_line(field, getattr(settings, field.name)) for field in table.settings_fields]
        for group in dataclasses.fields(settings):
            inner = getattr(settings, group.name)
            if dataclasses.is_dataclass(inner):
                lines += ["", f"More settings, by --set {group.name}.NAME=VALUE:"]
                lines += [_line(field, getattr(inner, field.name), dashes=f"{group.name}.")
                          for field in _plain_fields(type(inner))]
    lines += ["", "Flags of every job:",
              _entry("--config=FILE.json", "JSON object of flag names and values, used where a flag is not given; "
                                           "the settings.json of an earlier run is such a file"),
              _entry("--flagfile=FILE", "text file with one flag in a line")]
    if table.settings:
        lines.append(_entry("--set NAME=VALUE", "one setting by its dotted name; may be repeated"))
    return "\n".join([*lines, _entry("--help", "this text")])


def _plain_fields(settings_class):
    hints = typing.get_type_hints(settings_class)
    return [field for field in dataclasses.fields(settings_class) if not dataclasses.is_dataclass(hints[field.name])]


def _line(field, default, given=None, *, dashes="--"):
    value = default if given is None else given
    if value is REQUIRED:
        shown = "=... (required)"
    elif value is None or value == ():
        shown = "=..."
    else:
        shown = "=" + (",".join(value) if isinstance(value, tuple) else str(value))
    return _entry(f"{dashes}{field.name}{shown}", field.metadata.get("help", ""))


def _entry(name, description):
    indent = " " * 36
    text = textwrap.fill(description, width=118, initial_indent=indent, subsequent_indent=indent)
    return f"  {name:<33} {text.strip()}" if len(name) <= 33 else f"  {name}\n{text}"
