import json
from pathlib import Path

import pytest

from electra_tf.text.vocabulary import SPECIAL_PIECES, TextSettings, Vocabulary

JOB = Path(__file__).resolve().parents[2] / "experiments" / "build_vocabulary.py"


def test_a_vocabulary_is_learned_and_stored_with_how_it_came_about(run, tmp_path):
    (tmp_path / "a.txt").write_bytes("Bär Bären\n\nbärig \xff Bär\n".encode("latin-1"))
    (tmp_path / "b.txt").write_text("Bär bär Bär", encoding="utf-8")
    done = run("--corpus=*.txt", "--output=v", "--vocabulary_size=25", "--nostrip_accents")
    assert done.returncode == 0, done.stderr
    vocabulary = Vocabulary.load(tmp_path / "v")
    assert vocabulary.settings == TextSettings(strip_accents=False)
    assert "bär" in vocabulary and vocabulary.size <= 25
    result = json.loads((tmp_path / "v" / "result.json").read_text())
    assert (result["size"], result["hash"]) == (vocabulary.size, vocabulary.hash)
    assert result["corpus"]["documents"] == 3
    settings = json.loads((tmp_path / "v" / "settings.json").read_text())
    assert (settings["job"], settings["vocabulary_size"], settings["strip_accents"]) == ("build_vocabulary", 25, False)
    assert (tmp_path / "v" / "versions.json").is_file()
    assert "3 documents, 3 lines" in done.stdout and "bytes of the corpus are not UTF-8" in done.stderr


def test_a_vocabulary_from_elsewhere_is_checked_and_stored(run, tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL_PIECES, "a", "##b"]) + "\n")
    done = run("--vocabulary_file=vocab.txt", "--output=v", "--nolowercase", "--nostrip_accents")
    assert done.returncode == 0, done.stderr
    assert Vocabulary.load(tmp_path / "v") == Vocabulary([*SPECIAL_PIECES, "a", "##b"], TextSettings(False, False))


def test_a_vocabulary_with_capitals_is_not_stored_for_small_letters(run, tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL_PIECES, "Haus", "##b"]) + "\n")
    done = run("--vocabulary_file=vocab.txt", "--output=v")
    assert done.returncode == 2 and "vocab.txt has capitals" in done.stderr and not (tmp_path / "v").exists()
    assert "add --nolowercase --nostrip_accents" in done.stderr
    assert run("--vocabulary_file=vocab.txt", "--output=v", "--nolowercase", "--nostrip_accents").returncode == 0


@pytest.mark.parametrize(("flags", "message"), [
    (["--output=v"], "give either --corpus"), (["--output=v", "--corpus=none.txt"], "none.txt matches no file"),
    (["--output=.", "--corpus=a.txt"], "holds other work")])
def test_wrong_flags_are_one_sentence_and_leave_nothing_behind(run, tmp_path, flags, message):
    (tmp_path / "a.txt").write_text("words words")
    done = run(*flags)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
