import unicodedata

import pytest

from electra_tf.text import characters, generate_unicode_tables, unicode_tables

needs_unicode_14 = pytest.mark.skipif(unicodedata.unidata_version != "14.0.0",
                                      reason="only Python 3.11 carries the Unicode version of the tables")
TABLES = ("DELETED", "WHITE_SPACE", "PUNCTUATION", "NONSPACING_MARKS", "CASED", "CASE_IGNORABLE")


@needs_unicode_14
def test_the_stored_tables_are_what_the_generator_writes():
    with open(unicode_tables.__file__, encoding="ascii") as file:
        assert file.read() == generate_unicode_tables.table_source()


@needs_unicode_14
@pytest.mark.parametrize(("ranges", "belongs"), [
    (characters.NONSPACING_MARKS, lambda category, _: category == "Mn"),
    (characters.WHITE_SPACE, lambda category, character: category in ("Zs", "Zl", "Zp") or character in "\t\n\r"),
    (characters.PUNCTUATION, lambda category, character: category[0] == "P" or (
        character.isascii() and category[0] == "S")),
    (characters.DELETED, lambda category, character: category[0] == "C" and character not in "\t\n\r"
     or character == "\ufffd")])
def test_a_table_holds_exactly_its_categories(ranges, belongs):
    members = characters.characters_of(ranges)
    wrong = [code_point for code_point in range(0x110000)
             if (chr(code_point) in members) != belongs(unicodedata.category(chr(code_point)), chr(code_point))]
    assert wrong == []


@pytest.mark.parametrize("name", TABLES)
def test_ranges_ascend_without_touching(name):
    ranges = getattr(characters, name)
    assert all(first <= last for first, last in ranges)
    assert all(before[1] + 1 < after[0] for before, after in zip(ranges, ranges[1:]))


def test_a_code_point_assigned_after_unicode_14_stays_deleted():
    assert any(first <= 0x1E4D0 <= last for first, last in characters.DELETED)  # Nag Mundari, Unicode 15


def test_holes_in_the_blocks_of_ideographs_are_not_ideographs():
    cjk = characters.characters_of(characters.CJK)
    assert "\ufaef" not in cjk and "\ufad9" in cjk and "㐀" in cjk and "鿿" in cjk
    assert cjk.isdisjoint(characters.characters_of(characters.DELETED))


def test_case_tables_say_what_python_does_around_a_sigma():
    cased, ignorable = characters.characters_of(characters.CASED), characters.characters_of(characters.CASE_IGNORABLE)
    assert {"A", "a", "ß", "Ω"} <= cased and {".", "'", "\u0301", "ʰ"} <= ignorable
    assert cased.isdisjoint(ignorable) and cased.isdisjoint("1-, ") and ignorable.isdisjoint("1-, ")


def test_another_unicode_version_is_refused(monkeypatch):
    monkeypatch.setattr(generate_unicode_tables, "UNICODE_VERSION", "9.9.9")
    with pytest.raises(SystemExit, match="run it with Python 3.11, which carries 9.9.9"):
        generate_unicode_tables.main()
