"""The page stands alone, escapes every text, and says in words what it shows in colours."""

import collections
import html.parser
import re

import numpy as np
import pytest

from electra_tf.tasks.report.page import report_html, write_report
from electra_tf.tasks.report.parts import ColouredText, Confusion, Curves, Histogram, Report, Section, Table

HOSTILE = "<script>alert('x')</script> & <img src=http://evil.example/a.png> \"quoted\""
CURVES = {"seed 0": [(10, 0.5), (20, 0.75), (30, 0.875)], "seed 1": [(10, 0.25), (20, 0.5)], "seed 2": [(10, 0.25)]}


class Page(html.parser.HTMLParser):
    """What a page holds: its elements with their attributes, and the text inside each kind of element."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._open = [], collections.defaultdict(list), []
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name != "meta":
            self._open.append(name)
            self.texts[name].append("")

    def handle_endtag(self, name):
        assert self._open.pop() == name, f"</{name}> closes nothing"

    def handle_data(self, data):
        for name in set(self._open):
            self.texts[name][-1] += data

    def attributes_of(self, name):
        return [attributes for found, attributes in self.elements if found == name]


def report_of(*parts, **changes):
    return Report(**{"title": "a title", "lead": "a lead", "facts": [("median", "0.76", "accuracy")],
                     "sections": (Section("Part", "a note", parts),), **changes})


def page_of(*parts, **changes):
    return Page(report_html(report_of(*parts, **changes)))


EVERYTHING = (
    Table((HOSTILE, "number"), ((HOSTILE, 0.5), ("b", None)), HOSTILE, marked=(0,)),
    Confusion((HOSTILE, "pos"), np.array([[3, 1], [0, 4]])),
    ColouredText(HOSTILE, [(HOSTILE, 1.0), (" and ", None), (HOSTILE, -0.5)]),
    Curves(HOSTILE, {HOSTILE: [(1, 0.5), (2, 0.25)]}), Curves("$x^2_$", CURVES, ("seed 1",)),
    Histogram(HOSTILE, {HOSTILE: [1.0, 2.0, 2.5], "predicted": [1.5, 2.0, 2.0]}))


def test_nothing_is_loaded_from_anywhere():
    text = report_html(report_of(*EVERYTHING))
    page = Page(text)
    assert not {"script", "img", "link", "iframe", "object", "embed", "base", "image"} & {
        name for name, _ in page.elements}
    for name, attributes in page.elements:
        for key, value in attributes.items():
            if key in ("src", "href", "action", "data", "poster") or key.startswith("on"):
                assert key == "href" and value.startswith("#"), (name, key, value)
    # What still looks like an address is the hostile text, shown as text.
    assert len(re.findall(r"https?:", text)) == text.count("http://evil.example")
    assert not re.findall(r"url\((?!#)|@import", text)
    policy = [attributes for attributes in page.attributes_of("meta") if attributes.get("http-equiv")]
    assert policy == [{"http-equiv": "Content-Security-Policy",
                       "content": "default-src 'none'; style-src 'unsafe-inline'"}]


def test_texts_come_out_as_they_went_in():
    page = page_of(*EVERYTHING, title=HOSTILE, lead=HOSTILE)
    assert page.texts["h1"] == [HOSTILE] and page.texts["title"][0] == HOSTILE
    assert HOSTILE in page.texts["td"] and page.texts["caption"][0] == HOSTILE
    assert page.texts["h3"] == [HOSTILE]
    assert page.texts["span"] == [HOSTILE, HOSTILE]
    assert page.texts["p"][-1] == f"{HOSTILE} and {HOSTILE}"


def test_pictures_and_tables_can_be_read_without_seeing_them():
    page = page_of(*EVERYTHING)
    pictures = page.attributes_of("svg")
    assert len(pictures) == 3
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in pictures)
    assert "seed 0 from 0.5 to 0.875; seed 1 from 0.25 to 0.5" in pictures[1]["aria-label"]
    assert page.elements.count(("caption", {})) == len(page.attributes_of("table")) == 2
    assert all(attributes["scope"] in ("col", "row") for attributes in page.attributes_of("th"))
    assert page.attributes_of("html") == [{"lang": "en"}]
    # Against is told by a line, not by colour alone; the value stands in the title.
    assert [attributes["class"] for attributes in page.attributes_of("span")] == ["for", "against"]
    assert [attributes["title"] for attributes in page.attributes_of("span")] == ["+1.000", "-0.500"]


def test_names_inside_pictures_are_unique_and_found():
    text = report_html(report_of(*EVERYTHING))
    names = re.findall(r'\bid="([^"]+)"', text)
    assert len(names) == len(set(names)) > 0
    assert set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text)) == set(names)


def test_pictures_have_the_colours_of_the_page():
    """Every colour is one that the style defines, for light and for dark."""
    text = report_html(report_of(*EVERYTHING))
    body = text.partition("<body>")[2]
    assert not re.findall(r"#[0-9a-f]{6}\b", body)
    used = set(re.findall(r"var\((--\w+)\)", text)) - {"--share"}
    light, _, dark = text.partition("prefers-color-scheme: dark")
    for name in used:
        assert f"{name}: #" in light and f"{name}: #" in dark.partition("}")[0], name


def test_mean_and_spread_are_of_the_trials_that_count(monkeypatch):
    drawn = {}
    axes_class = pytest.importorskip("matplotlib.axes").Axes
    fill, plot = axes_class.fill_between, axes_class.plot

    def fill_between(self, steps, low, high, **settings):
        drawn["spread"] = list(steps), list(low), list(high)
        return fill(self, steps, low, high, **settings)

    def plotted(self, *points, **settings):
        drawn[settings.get("label")] = [list(values) for values in points]
        return plot(self, *points, **settings)
    monkeypatch.setattr(axes_class, "fill_between", fill_between)
    monkeypatch.setattr(axes_class, "plot", plotted)
    curves = {"a": [(10, 0.5), (20, 0.75), (30, 0.9)], "b": [(10, 0.25), (20, 0.5)], "dead": [(10, 0.0), (20, 0.0)]}
    report_html(report_of(Curves("accuracy", curves, ("dead",))))
    assert drawn["spread"] == ([10, 20], [0.25, 0.5], [0.5, 0.75])
    assert drawn["mean"] == [[10, 20], [0.375, 0.625]]
    assert drawn["collapsed"] == [[10, 20], [0.0, 0.0]]


@pytest.mark.parametrize("curves", [
    {"seed 0": [(267, 0.75)]}, {"seed 0": []}, {}, {"seed 0": [], "seed 1": [(5, 0.5)]}])
def test_short_runs_are_drawn_all_the_same(curves):
    assert len(page_of(Curves("accuracy", curves)).attributes_of("svg")) == 1


def test_the_confusion_matrix_shows_counts_and_shares():
    page = page_of(Confusion(("neg", "pos"), np.array([[3, 1], [0, 0]])))
    assert page.texts["td"] == ["375%", "125%", "00%", "00%"]
    assert [attributes["scope"] for attributes in page.attributes_of("th")] == ["col", "col", "col", "row", "row"]


def test_the_confusion_matrix_says_what_it_counts():
    page = page_of(Confusion(("O", "PER"), np.array([[3, 1], [0, 0]]), "words"))
    assert page.texts["caption"][0].startswith("How many words: rows are the true labels")


def test_shares_show_a_small_set_beside_a_large_one(monkeypatch):
    drawn = []
    axes_class = pytest.importorskip("matplotlib.axes").Axes
    hist = axes_class.hist
    monkeypatch.setattr(axes_class, "hist", lambda self, *values, **settings: drawn.append(
        hist(self, *values, **settings)[0].sum()))
    values = {"few": [0.9, 0.8], "many": [0.1] * 50}
    page = page_of(Histogram("probability", values, counted="labels", as_shares=True))
    np.testing.assert_allclose(drawn, [1, 1])
    assert "share of the labels" in "".join(page.texts["text"])
    report_html(report_of(Histogram("probability", values)))
    assert drawn[2:] == [2, 50]


def test_columns_of_numbers_stand_to_the_right():
    page = page_of(Table(("name", "score", "n"), (("a", 0.5, 3), ("b", None, 12)), "scores"))
    assert page.texts["td"] == ["a", "0.5000", "3", "b", "\u2013", "12"]
    assert [attributes.get("class") for attributes in page.attributes_of("td")] == [None, "number", "number"] * 2


def test_any_text_can_be_written(tmp_path):
    strange = "half a pair \ud83d, null \0, right to left \u202e \u05d0, \U0001f600, \u4e2d\u6587"
    path = tmp_path / "report.html"
    write_report(path, report_of(Table(("text",), ((strange,),), "strange")))
    text = path.read_text(encoding="utf-8")
    assert "half a pair ?" in text and "\u4e2d\u6587" in text and "\U0001f600" in text


def test_the_same_report_gives_the_same_page():
    assert report_html(report_of(*EVERYTHING)) == report_html(report_of(*EVERYTHING))
