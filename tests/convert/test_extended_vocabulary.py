import numpy as np
import pytest

from electra_tf.convert.extended_vocabulary import with_extended_vocabulary
from electra_tf.errors import InputError
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.model_folder import load_model_folder
from electra_tf.text.tokenizer import Tokenizer
from tests.oracles.hugging_face import folder_of

WORDS = "encoder/embeddings/word_embeddings"


def pieces_file(path, *pieces):
    path.write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    return path


def test_old_rows_stay_and_a_new_piece_starts_as_the_mean_of_what_it_was_made_of(tmp_path):
    before = load_model_folder(folder_of("generator"))
    old = Tokenizer(before.vocabulary)
    word = next(word for word in ("theking", "lordsaid", "themselvesand") if old.vocabulary.unk_id not in old.ids(word))
    made_of = old.ids(word)
    assert len(made_of) > 1
    file = pieces_file(tmp_path / "pieces.txt", "[PAD]", "[unused3]", before.vocabulary.pieces[40], word, "Ω".lower())
    done = convert_checkpoint(folder_of("generator"), tmp_path / "new", to="electra_tf", extend_vocabulary=file)
    assert any(sentence.startswith("2 new pieces from") for sentence in done.told)
    after = load_model_folder(tmp_path / "new")
    size = before.vocabulary.size
    assert after.vocabulary.pieces == (*before.vocabulary.pieces, word, "ω")
    assert after.config.vocabulary_size == size + 2
    assert Tokenizer(after.vocabulary).ids(word) == [size]
    for name in (WORDS, "head/output_bias"):
        rows = before.weights[name][:size].astype(np.float64)
        np.testing.assert_array_equal(after.weights[name][:size], before.weights[name][:size])
        mean = sum(rows[one] for one in made_of) / len(made_of)
        np.testing.assert_allclose(after.weights[name][size], mean, atol=1e-6)
        # No old piece could write an omega: [UNK] says nothing about it.
        np.testing.assert_allclose(after.weights[name][size + 1], rows.mean(axis=0), atol=1e-6)
    assert {name: array.shape for name, array in after.weights.items() if name not in (WORDS, "head/output_bias")} == {
        name: array.shape for name, array in before.weights.items() if name not in (WORDS, "head/output_bias")}


def test_a_continuing_piece_is_put_together_from_continuing_pieces():
    model = load_model_folder(folder_of("discriminator"))
    piece = next(piece for piece in ("##inged", "##thes", "##ands") if piece not in model.vocabulary)
    made_of = Tokenizer(model.vocabulary).ids_of_piece(piece)
    assert len(made_of) > 1 and all(model.vocabulary.pieces[one].startswith("##") for one in made_of)
    assert "".join(model.vocabulary.pieces[one].removeprefix("##") for one in made_of) == piece.removeprefix("##")
    extended, count = with_extended_vocabulary(model, [piece], where="pieces.txt")
    np.testing.assert_allclose(extended.weights[WORDS][-1], model.weights[WORDS][list(made_of)].mean(axis=0), atol=1e-6)
    assert count == 1


@pytest.mark.parametrize(["pieces", "sentence"], [
    (["the", "Film"], "line 2: 'Film' never comes out of the model's tokenizer"),
    (["covid-19"], "line 1: 'covid-19' never comes out of the model's tokenizer .*words end at punctuation"),
    (["新冠"], "line 1: '新冠' never comes out of the model's tokenizer .*split_cjk=True"),
    (["[PAD]"], "has no piece that is new")])
def test_a_file_that_cannot_be_used_is_refused_with_its_line(pieces, sentence, tmp_path):
    file = pieces_file(tmp_path / "pieces.txt", *pieces)
    with pytest.raises(InputError, match=sentence):
        convert_checkpoint(folder_of("discriminator"), tmp_path / "new", to="electra_tf", extend_vocabulary=file)
    assert not (tmp_path / "new").exists()
