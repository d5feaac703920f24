"""The report of a tuned model on other data: its scores, how the answers are distributed, and the surest mistakes."""

import pathlib

from electra_tf.tasks.report.parts import Report, Section, Table
from electra_tf.tasks.report.shared_sections import answer_sections, settings_section


def evaluation_report(result, predictions, *, coloured_texts=()):
    """The report of an evaluation.

    Args:
        result: what `evaluate` writes to result.json.
        predictions: dicts of predictions.jsonl, with "label" and "prediction".
        coloured_texts: ColouredTexts, see coloured_texts.py.

    Returns:
        Report.

    >>> write_report("scores/report.html", evaluation_report(result, predictions))
    """
    settings = result["settings"]
    examples = f"{result['examples']:,} examples"
    scores = Table(("score", "value"), tuple((name, float(value)) for name, value in result["metrics"].items()),
                   "Every score of these answers.")
    sections = (Section("Scores", "", (scores,)), *answer_sections(predictions, coloured_texts),
                settings_section(result))
    return Report(f"{result['task']}: {result['metric']} on {pathlib.Path(settings['data']).name}",
                  f"{settings['model']} answered {examples} of {settings['data']}.",
                  [(result["metric"], f"{result['score']:.4f}", f"of {examples}")], sections)
