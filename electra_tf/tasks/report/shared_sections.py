"""The sections that the reports of a run and of an evaluation share: the answers, and what they were made with."""

from electra_tf.tasks.report.answer_parts import answer_parts
from electra_tf.tasks.report.parts import Section, Table
from electra_tf.tasks.report.wrong_examples import in_words, wrong_examples_table


def answer_sections(predictions, coloured_texts, *, of_whom=""):
    """The sections of a set of answers; those that would be empty are left out.

    Args:
        predictions: dicts of predictions.jsonl, with "label" and "prediction".
        coloured_texts: ColouredTexts, see coloured_texts.py; they need the model.
        of_whom: a sentence that says whose answers these are.

    Returns:
        List of Section.

    >>> [section.title for section in answer_sections(predictions, ())]   # ['Answers', 'Most confidently wrong']
    """
    sections = []
    parts, wrong = answer_parts(predictions), wrong_examples_table(predictions)
    if parts:
        sections.append(Section("Answers", of_whom, parts))
    if wrong.rows:
        title = "Most confidently wrong" if wrong.header[0] == "confidence" else "Largest errors"
        sections.append(Section(
            title, f"{of_whom} Look here for labels that are wrong themselves.".strip(), (wrong,)))
    if coloured_texts:
        sections.append(Section(
            "What the answers rest on", "Integrated gradients: blue speaks for the answer, label or tag that is named "
            "first, or for a higher score; orange with a dotted line below against it; the stronger, the more.",
            tuple(coloured_texts)))
    return sections


def settings_section(result, *, caption="Settings"):
    """The section of the settings and versions in a result.json.

    Args:
        result: its values.
        caption: of the table of settings.

    >>> settings_section(result).title   # 'Settings and versions'
    """
    tables = tuple(Table(("name", "value"), tuple((name, in_words(value)) for name, value in values.items()), what)
                   for values, what in ((result["settings"], caption), (result.get("versions"), "Versions")) if values)
    return Section("Settings and versions", "", tables, is_folded=True)
