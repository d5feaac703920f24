"""One finished run and what it leaves; what is refused before any work; starting from weights."""

import json

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from electra_tf.config import ObjectiveConfig, replace
from electra_tf.errors import InputError
from electra_tf.model.model_folder import load_model_folder
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.text.vocabulary import SPECIAL_PIECES, Vocabulary
from electra_tf.training.callbacks.log_file import read_log
from electra_tf.training.checkpoint import training_variables
from electra_tf.training.collapse import collapse_warnings
from electra_tf.training.distribution import strategy_for
from electra_tf.training.initial_weights import read_initial_weights
from electra_tf.training.pretrain import new_pretrainer, pretrain
from electra_tf.training.run_weights import read_run_weights, save_networks
from experiments.job import read_flags
from experiments.pretrain import Flags
from tests.training.tiny_run import WORDS, tiny_config, tiny_vocabulary, write_records

CONFIG = tiny_config(train_steps=12, checkpoint_steps=5, log_steps=4, evaluation_steps=6, keep_checkpoints=2,
                     model={"num_layers": 1})
MEASURED = {  # what every train record tells, besides where the run stands
    "generator_loss", "generator_accuracy", "sampled_originals", "discriminator_loss", "discriminator_accuracy",
    "discriminator_precision", "discriminator_recall", "discriminator_auc", "replaced_fraction",
    "constant_guess_loss", "constant_guess_accuracy", "gradient_norm", "learning_rate", "tokens_per_second",
    "seconds_left", "epochs", "tokens", "examples"}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(records, tmp_path_factory):
    """(folder, result) of a finished run; nothing in it may be changed."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, pretrain(CONFIG, data=records, output=folder)


def of_kind(folder, event):
    return [record for record in read_log(folder) if record["event"] == event]


def test_a_run_folder_holds_all_that_is_promised(run):
    folder, result = run
    assert {path.name for path in folder.iterdir()} == {
        "settings.json", "versions.json", "checkpoints", "log.jsonl", "tensorboard", "result.json", "curve.png",
        "discriminator", "generator", "vocabulary"}
    assert result.is_finished and result.step == 12 and result.folder == folder
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["step-00000010", "step-00000012"]
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert Vocabulary.load(folder / "vocabulary").hash == tiny_vocabulary().hash


def test_the_log_tells_everything_at_the_steps_that_were_asked_for(run, records):
    folder, _ = run
    train = of_kind(folder, "train")
    assert [(record["step"], record["steps"]) for record in train] == [(4, 4), (6, 2), (8, 2), (12, 4)]
    assert all(MEASURED <= record.keys() for record in train)
    assert [record["step"] for record in of_kind(folder, "validation")] == [6, 12]
    assert [record["step"] for record in of_kind(folder, "checkpoint")] == [5, 10, 12]
    assert [record["resumed_step"] for record in of_kind(folder, "start")] == [0]
    manifest = json.loads((records / "manifest.json").read_text())["splits"]["train"]
    last = train[-1]
    assert last["examples"] == 96 and last["epochs"] == pytest.approx(96 / manifest["rows"])
    assert last["tokens"] == round(96 * 12 * (1 - manifest["padding_share"]))
    assert last["learning_rate"] == pytest.approx(1e-3 * (1 - 11 / 12))
    assert 0 < last["replaced_fraction"] < 0.3
    assert last["constant_guess_loss"] == pytest.approx(
        -sum(share * np.log(share) for share in (last["replaced_fraction"], 1 - last["replaced_fraction"])), rel=1e-4)


def test_the_collapse_warnings_read_the_numbers_of_a_real_run_and_a_young_one_hears_nothing(run):
    folder, _ = run
    log = read_log(folder)
    assert collapse_warnings(log, warmup_steps=0) == []
    impatient = collapse_warnings(log, warmup_steps=0, generator_tokens=0, discriminator_tokens=0, window_tokens=1)
    assert [warning.cause for warning in impatient] == [
        "generator_does_not_learn", "discriminator_at_constant_guess"]
    assert log[0]["unigram_loss"] == pytest.approx(np.log(len(WORDS)), abs=0.1)


@pytest.mark.slow
def test_a_corpus_of_one_word_makes_the_generator_sample_only_originals(tmp_path):
    records = write_records(tmp_path, words=WORDS[:1])
    config = replace(CONFIG, train_steps=150, log_steps=10, optimizer=replace(CONFIG.optimizer, learning_rate=1e-2))
    pretrain(config, data=records, output=tmp_path / "run")
    found = collapse_warnings(read_log(tmp_path / "run"), warmup_steps=0, window_tokens=1)
    assert [warning.cause for warning in found] == ["generator_samples_only_originals"]


def test_result_json_holds_the_last_numbers(run):
    folder, result = run
    stored = json.loads((folder / "result.json").read_text())
    assert stored["step"] == stored["train_steps"] == stored["executed_steps"] == 12
    assert stored["validation"] == of_kind(folder, "validation")[-1]
    assert stored["train"] == of_kind(folder, "train")[-1]
    assert stored["warnings"] == []
    assert result.metrics["discriminator_loss"] == stored["validation"]["discriminator_loss"]


def test_tensorboard_has_the_same_numbers(run):
    folder, _ = run
    for event in ("train", "validation"):
        found = {}
        for path in (folder / "tensorboard" / event).iterdir():
            for entry in tf.compat.v1.train.summary_iterator(str(path)):
                for value in entry.summary.value:
                    assert value.metadata.plugin_data.plugin_name == "scalars"
                    found[entry.step, value.tag] = float(tf.make_ndarray(value.tensor))
        expected = {(record["step"], name): value for record in of_kind(folder, event)
                    for name, value in record.items() if isinstance(value, float)}
        assert found == pytest.approx(expected, rel=1e-6) and expected


def test_the_model_folders_hold_the_last_weights_and_can_be_loaded(run):
    folder, _ = run
    tensors = safetensors.numpy.load_file(folder / "checkpoints" / "step-00000012" / "tensors.safetensors")
    for network, config in ((ElectraDiscriminator, CONFIG.model), (ElectraGenerator, CONFIG.model.generator)):
        loaded = network.from_preset(folder / network.KIND)
        assert loaded.config == config and loaded.vocabulary.hash == tiny_vocabulary().hash
        for name, variable in loaded.weights_by_name().items():
            kind = "discriminator" if "/embeddings/" in name else network.KIND
            np.testing.assert_array_equal(variable.numpy(), tensors[f"weights/{kind}/{name}"], err_msg=name)


def test_the_networks_of_an_unfinished_run_can_be_taken_from_its_checkpoint(run, tmp_path):
    folder, _ = run
    save_networks(read_run_weights(folder), tmp_path / "snapshot")
    for kind in ("discriminator", "generator"):
        ours, theirs = (load_model_folder(parent / kind) for parent in (tmp_path / "snapshot", folder))
        assert ours.config == theirs.config
        for name in theirs.weights:
            np.testing.assert_array_equal(ours.weights[name], theirs.weights[name])


def test_a_finished_run_says_that_nothing_is_left_to_train(run, records, capsys):
    folder, result = run
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    again = pretrain(CONFIG, data=records, output=folder)
    assert again == result
    assert f"Nothing left to train: {folder} has done its 12 steps." in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before


def test_a_run_killed_between_its_last_step_and_its_result_is_finished(run, records, tmp_path):
    folder, _ = run
    (tmp_path / "run").mkdir()
    for name in ("settings.json", "versions.json", "log.jsonl"):
        (tmp_path / "run" / name).write_bytes((folder / name).read_bytes())
    checkpoint = tmp_path / "run" / "checkpoints" / "step-00000012"
    checkpoint.mkdir(parents=True)
    for path in (folder / "checkpoints" / "step-00000012").iterdir():
        (checkpoint / path.name).write_bytes(path.read_bytes())
    assert pretrain(CONFIG, data=records, output=tmp_path / "run").is_finished
    ours, theirs = (json.loads((parent / "result.json").read_text()) for parent in (tmp_path / "run", folder))
    assert ours == theirs
    assert (tmp_path / "run" / "generator" / "model.safetensors").read_bytes() == (
        folder / "generator" / "model.safetensors").read_bytes()


@pytest.mark.parametrize(("settings", "named"), [
    ({"train_steps": 13}, "train_steps is 12 there and 13 here"),
    ({"optimizer": {"learning_rate": 0.5}}, "optimizer.learning_rate is 0.001 there and 0.5 here")])
def test_other_settings_on_the_same_output_are_refused_with_the_way_out(run, records, settings, named):
    folder, _ = run
    nested = {name: replace(getattr(CONFIG, name), **values) if isinstance(values, dict) else values
              for name, values in settings.items()}
    with pytest.raises(InputError, match=f"{named}.*To go on from its weights with other settings, .*--init_from="):
        pretrain(replace(CONFIG, **nested), data=records, output=folder)


def test_other_records_on_the_same_output_are_refused(run, tmp_path):
    folder, _ = run
    with pytest.raises(InputError, match="inputs.records is '.*' there and '.*' here"):
        pretrain(CONFIG, data=write_records(tmp_path, seed=2), output=folder)


def test_an_output_with_other_work_is_refused(records, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="holds other work .thesis.tex., which is never overwritten"):
        pretrain(CONFIG, data=records, output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_length_that_is_not_the_records_is_refused_before_the_output_is_made(records, tmp_path):
    with pytest.raises(InputError, match="holds rows of 12 tokens, but sequence_length is 14"):
        pretrain(replace(CONFIG, sequence_length=14), data=records, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_records_that_are_missing_or_damaged_are_refused_before_the_output_is_made(tmp_path, split):
    with pytest.raises(InputError, match="nowhere is not a folder; give the output of build_pretraining_data"):
        pretrain(CONFIG, data=tmp_path / "nowhere", output=tmp_path / "run")
    records = write_records(tmp_path)
    shard = json.loads((records / "manifest.json").read_text())["splits"][split]["shards"][0]["name"]
    (records / shard).write_bytes((records / shard).read_bytes()[:-5])
    with pytest.raises(InputError, match=f"{shard} has .* bytes instead of .* truncated or changed"):
        pretrain(CONFIG, data=records, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_settings_of_a_run_can_be_given_back_to_the_job(run):
    folder, _ = run
    flags = read_flags(Flags, ["pretrain.py", "--data=records", "--output=again",
                               f"--config={folder / 'settings.json'}"])
    assert flags.settings == replace(CONFIG, sequence_length=12) and flags.init_from is None


def test_a_run_starts_from_the_weights_of_another_with_a_new_schedule(run, records, tmp_path, capsys, monkeypatch):
    folder, _ = run

    class Begun(Exception):
        pass

    class WatchedTrainer:
        def __init__(self, pretrainer, **_):
            self.pretrainer = pretrainer

        def train(self, stop, *, unigram_loss):
            raise Begun({name: variable.numpy() for name, variable in training_variables(self.pretrainer).items()})

    monkeypatch.setattr("electra_tf.training.pretrain.Trainer", WatchedTrainer)
    with pytest.raises(Begun) as begun:
        pretrain(replace(CONFIG, train_steps=20, seed=8), data=records, output=tmp_path / "run", init_from=str(folder))
    told = capsys.readouterr().err
    assert f"Weights of both networks from step 12 of {folder}." in told and "word embeddings stay" not in told
    held = replace(CONFIG, optimizer=replace(CONFIG.optimizer, word_embeddings_rate=0.0))
    with pytest.raises(Begun):
        pretrain(held, data=records, output=tmp_path / "held", init_from=str(folder))
    with pytest.raises(InputError, match="would keep the random word embeddings of a generator that shares nothing"):
        pretrain(replace(held, objective=ObjectiveConfig(shared="nothing")), data=records, output=tmp_path / "random",
                 init_from=str(folder / "discriminator"))
    assert "The word embeddings stay as they are there (optimizer.word_embeddings_rate=0)" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["init_from"] == str(folder)
    theirs = safetensors.numpy.load_file(folder / "checkpoints" / "step-00000012" / "tensors.safetensors")
    for name, array in begun.value.args[0].items():
        expected = theirs[name] if name.startswith("weights/") else np.zeros_like(array)
        np.testing.assert_array_equal(array, expected, err_msg=name)


@pytest.mark.parametrize(("kind", "new"), [
    ("discriminator", "generator."), ("encoder", "generator and discriminator/head.")])
def test_a_model_folder_fills_what_it_has_and_names_what_is_new(run, tmp_path, kind, new):
    folder, _ = run
    source = ElectraDiscriminator.from_preset(folder / "discriminator")
    (source if kind == "discriminator" else source.encoder).save_to_preset(
        tmp_path / "model", vocabulary=tiny_vocabulary())
    initial = read_initial_weights(tmp_path / "model", config=CONFIG, vocabulary=tiny_vocabulary(),
                                   report=pytest.fail)
    assert f"Weights of the {kind} from {tmp_path / 'model'}; new: {new}" in initial.told
    pretrainer = new_pretrainer(replace(CONFIG, seed=8), tiny_vocabulary(), strategy_for("one_device"))
    before = {name: variable.numpy() for name, variable in pretrainer.weights_by_name().items()}
    initial.assign_to(pretrainer)
    given = load_model_folder(tmp_path / "model").weights
    for name, variable in pretrainer.weights_by_name().items():
        expected = given.get(name.removeprefix("discriminator/"), before[name])
        np.testing.assert_array_equal(variable.numpy(), expected, err_msg=name)


def test_initial_weights_that_do_not_fit_are_refused_in_one_sentence(run, tmp_path):
    folder, _ = run
    vocabulary = tiny_vocabulary()

    def read(source, *, model=CONFIG.model, vocabulary=vocabulary):
        read_initial_weights(source, config=replace(CONFIG, model=model), vocabulary=vocabulary, report=pytest.fail)

    with pytest.raises(InputError, match="num_layers is 1 there and 2 here; num_heads is 2 there and 4 here"):
        read(folder, model=replace(CONFIG.model, num_layers=2, num_heads=4))
    with pytest.raises(InputError, match="the generator's hidden_size is 8 there and 16 here"):
        read(folder, model=replace(CONFIG.model, generator_size=1.0))
    with pytest.raises(InputError, match="num_heads is 2 there and 1 here"):
        read(folder / "discriminator", model=replace(CONFIG.model, num_heads=1))
    other = Vocabulary((*SPECIAL_PIECES, *reversed(WORDS)))
    with pytest.raises(InputError, match="trained with another vocabulary"):
        read(folder, vocabulary=other)
    with pytest.raises(InputError, match="trained with another vocabulary"):
        read(folder / "discriminator", vocabulary=other)
    with pytest.raises(InputError, match="holds a model of kind 'generator'; give a pretraining run"):
        read(folder / "generator")
    with pytest.raises(InputError, match="is not a model folder"):
        read(tmp_path)


@pytest.mark.parametrize("job, file", [("finetune", "model"), ("build_pretraining_data", "manifest.json"),
                                       ("pretrain", "result.json")])
def test_nobody_is_told_to_remove_a_folder_that_holds_work(records, tmp_path, job, file):
    (tmp_path / "settings.json").write_text(json.dumps({"job": job, "batch_size": 3}))
    (tmp_path / file).write_text("{}")
    with pytest.raises(InputError, match="holds a run") as refused:
        pretrain(CONFIG, data=records, output=tmp_path)
    assert "remove it" not in str(refused.value)
