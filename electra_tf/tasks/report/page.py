"""A Report as one HTML file: no script, nothing from a network, every text escaped."""

from electra_tf.files import write_text_atomically
from electra_tf.tasks.report.html_elements import html_text, tag
from electra_tf.tasks.report.parts import ColouredText, Confusion, Curves, Histogram, Table
from electra_tf.tasks.report.pictures import draw_curves, draw_histogram
from electra_tf.tasks.report.style import CSS

REPORT_FILE = "report.html"
# Browsers load nothing at all for such a page, whatever a text in it may say.
_NOTHING_FROM_OUTSIDE = "default-src 'none'; style-src 'unsafe-inline'"
# A longer cell gets room to wrap in.
_LONG_CELL = 40
# Parts of a text that speak more than this share of the strongest are coloured.
_LEAST_SHARE = 0.03
# Percent of the colour where a share is 1: text stays readable on it, in light and dark.
_STRONGEST = 55


def write_report(path, report):
    """Writes a report as one file that opens without a network.

    Args:
        path: of the HTML file.
        report: Report.

    >>> write_report("runs/polarity/report.html", run_report("runs/polarity"))
    """
    # A text from a user's file may hold half a surrogate pair, which no file can.
    write_text_atomically(path, report_html(report).encode("utf-8", errors="replace").decode("utf-8"))


def report_html(report):
    """The page as text.

    >>> report_html(report)[:15]   # '<!DOCTYPE html>'
    """
    head = tag("head", tag("meta", charset="utf-8"),
               tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
               tag("meta", http_equiv="Content-Security-Policy", content=_NOTHING_FROM_OUTSIDE),
               tag("title", report.title), tag("style", CSS))
    main = tag("main", tag("header", tag("h1", report.title), tag("p", report.lead, class_="note"), _facts(report)),
               *map(_section, report.sections))
    return "<!DOCTYPE html>\n" + html_text(tag("html", head, tag("body", main), lang="en"))


def _facts(report):
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value, class_="value"), tag("dd", note, class_="about"))
                       for name, value, note in report.facts), class_="facts")


def _section(section):
    heading = tag("h2", section.title)
    content = [tag("p", section.note, class_="note")] if section.note else []
    drawn = [(_DRAWN[type(part)](part), isinstance(part, Curves | Histogram)) for part in section.parts]
    if any(is_picture for _, is_picture in drawn):
        content.append(tag("div", *(element for element, is_picture in drawn if is_picture), class_="pictures"))
    content += [element for element, is_picture in drawn if not is_picture]
    if section.is_folded:
        return tag("details", tag("summary", heading), *content)
    return tag("section", heading, *content)


def _table(table):
    kinds = [_kind_of_column([row[place] for row in table.rows]) for place in range(len(table.header))]
    header = [tag("th", name, scope="col", **_class_of("number" if kind == "number" else ""))
              for name, kind in zip(table.header, kinds, strict=True)]
    # On a narrow screen a table of texts becomes a list of blocks; the roles keep it a table for screen readers.
    rows = [tag("tr", *map(_cell, row, kinds, table.header), role="row",
                **_class_of("marked" if place in table.marked else "")) for place, row in enumerate(table.rows)]
    return tag("div", tag("table", tag("caption", table.caption), tag("thead", tag("tr", *header)),
                          tag("tbody", *rows), role="table", **_class_of("texts" if "long" in kinds else "")),
               class_="wide")


def _kind_of_column(values):
    if all(isinstance(value, int | float | None) for value in values):
        return "number"
    return "long" if any(len(str(value)) > _LONG_CELL for value in values) else ""


def _cell(value, kind, name):
    text = "\u2013" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
    return tag("td", text, role="cell", data_name=name, dir="auto", **_class_of(kind))


def _class_of(name):
    return {"class_": name} if name else {}


def _matrix(confusion):
    """The confusion matrix as a table whose cells are coloured by their share of the true label."""
    rows = []
    for label, counts in zip(confusion.labels, confusion.counts.tolist(), strict=True):
        total = max(1, sum(counts))
        cells = [tag("td", f"{count:,}", tag("small", f"{count / total:.0%}"), style=_colour(count / total))
                 for count in counts]
        rows.append(tag("tr", tag("th", label, scope="row"), *cells))
    header = tag("tr", tag("th", "true \\ predicted", scope="col"),
                 *(tag("th", label, scope="col", class_="number") for label in confusion.labels))
    caption = tag("caption", f"How many {confusion.counted}: rows are the true labels, columns the predicted ones; "
                             f"shares are of the true label.")
    return tag("div", tag("table", caption, tag("thead", header), tag("tbody", *rows), class_="matrix"), class_="wide")


def _coloured(text):
    strongest = max((abs(value) for _, value in text.parts if value is not None), default=0)
    spans = []
    for words, value in text.parts:
        share = abs(value) / strongest if value is not None and strongest else 0
        if share < _LEAST_SHARE:
            spans.append(words)
        else:
            spans.append(tag("span", words, class_="for" if value > 0 else "against", title=f"{value:+.3f}",
                             style=_colour(share)))
    return tag("div", tag("h3", text.heading), tag("p", *spans, class_="text", dir="auto"))


def _colour(share):
    return f"--share: {share * _STRONGEST:.0f}%"


_DRAWN = {Table: _table, Confusion: _matrix, ColouredText: _coloured, Curves: draw_curves, Histogram: draw_histogram}
