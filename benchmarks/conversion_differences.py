"""How far numbers move when a model changes programs: the largest differences for each format.

    python benchmarks/conversion_differences.py ../shared/oracles

Expected are the outputs that the other library stored beside its model (oracles), or gives now for what we wrote
(keras_hub in this environment; transformers in .venv-torch, left out where `make interoperability` has not made it).
One JSON file for each row goes into results/.
"""

import dataclasses
import json
import pathlib
import platform
import subprocess
import sys
import tempfile

import keras_hub
import numpy as np
import tensorflow as tf

from electra_tf import files
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.tasks.text_classification import ElectraTextClassifier

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TORCH_PYTHON = ROOT / ".venv-torch" / "bin" / "python"
TRANSFORMERS_SCRIPT = ROOT / "tests" / "interoperability" / "with_transformers.py"
NETWORKS = {"discriminator": ElectraDiscriminator, "generator": ElectraGenerator,
            "text_classifier": ElectraTextClassifier}
PLAIN = ("model", "model_equal", "discriminator", "discriminator_equal", "discriminator_gelu_new", "generator",
         "generator_narrow", "generator_equal", "generator_gelu_new", "generator_untied", "sequence_classification_2",
         "sequence_classification_3_equal_gelu_new", "sequence_regression", "sequence_multilabel",
         "token_classification", "question_answering", "question_answering_equal", "multiple_choice")
STORED_OTHERWISE = ("discriminator_bin", "generator_bin_tied_views", "discriminator_sharded", "generator_sharded",
                    "discriminator_bfloat16", "discriminator_float16")


@dataclasses.dataclass
class Largest:
    """The largest differences over the models of a row."""

    models: int = 0
    layers: float = 0.0
    head: float | None = None

    def add_layers(self, ours, expected):
        self.layers = max(self.layers, _difference(ours, expected))

    def add_head(self, ours, expected):
        self.head = max(self.head or 0.0, _difference(ours, expected))

    def row(self, direction, weights):
        return {"from -> to": direction, "models": self.models, "weights": weights,
                "outputs of every layer": f"{self.layers:.1e}",
                "logits": "-" if self.head is None else f"{self.head:.1e}"}


def _difference(ours, expected):
    return float(np.abs(np.asarray(ours, np.float64) - np.asarray(expected, np.float64)).max())


def require_equal_weights(one, other):
    """Ends the script where a weight of two folders differs in any bit; the encoder's where one holds no head."""
    one, other = load_model_folder(one), load_model_folder(other)
    wanted, found = ((one.weights, other.weights) if one.kind == "encoder" or one.kind == other.kind else
                     (one.encoder_weights(), other.encoder_weights()))
    if not all(np.array_equal(array, found[name]) for name, array in wanted.items()):
        sys.exit("the weights differ, which no conversion may do")


def hugging_face(oracles, names, scratch):
    """Stored folders of transformers, read here, and written again."""
    largest = Largest(len(names))
    for name in names:
        convert_checkpoint(oracles / "huggingface" / name, scratch / f"again_{name}", to="huggingface")
        require_equal_weights(oracles / "huggingface" / name, scratch / f"again_{name}")
    for name in names:
        folder, outputs = oracles / "huggingface" / name, np.load(oracles / f"huggingface/{name}.outputs.npz")
        inputs = ours(np.load(oracles / f"huggingface/{name}.inputs.npz"))
        states = ElectraEncoder.from_preset(folder).layer_outputs(inputs)
        for number, state in enumerate(states):
            if f"hidden_states_{number}" in outputs:
                largest.add_layers(state, outputs[f"hidden_states_{number}"])
        kind = load_model_folder(folder).kind
        if kind in NETWORKS:
            largest.add_head(NETWORKS[kind].from_preset(folder)(inputs), outputs["logits"])
    return largest


def ours(arrays):
    """Inputs of transformers under our names; the choices of a multiple choice become rows."""
    return {name: arrays[theirs].reshape(-1, arrays[theirs].shape[-1]).astype(np.int32) for name, theirs in (
        ("token_ids", "input_ids"), ("segment_ids", "token_type_ids"), ("padding_mask", "attention_mask"))}


def to_transformers(oracles, scratch):
    """Folders of transformers, read and written here, and read by transformers again."""
    largest, tasks = Largest(len(PLAIN)), []
    for name in PLAIN:
        convert_checkpoint(oracles / "huggingface" / name, scratch / name / "ours", to="electra_tf")
        convert_checkpoint(scratch / name / "ours", scratch / name / "theirs", to="huggingface")
        require_equal_weights(oracles / "huggingface" / name, scratch / name / "theirs")
        arrays = np.load(oracles / f"huggingface/{name}.inputs.npz")
        np.savez(scratch / f"{name}.inputs.npz",
                 **{key: arrays[key] for key in ("input_ids", "token_type_ids", "attention_mask")})
        settings = json.loads((scratch / name / "theirs/config.json").read_text())
        tasks.append({"what": "load", "class": settings["architectures"][0], "folder": str(scratch / name / "theirs"),
                      "inputs": str(scratch / f"{name}.inputs.npz"), "outputs": str(scratch / f"{name}.npz")})
    (scratch / "tasks.json").write_text(json.dumps(tasks))
    subprocess.run([TORCH_PYTHON, TRANSFORMERS_SCRIPT, scratch / "tasks.json"], check=True, capture_output=True)
    for name in PLAIN:
        expected, outputs = np.load(oracles / f"huggingface/{name}.outputs.npz"), np.load(scratch / f"{name}.npz")
        for key in outputs.files:
            if key.startswith("hidden_states_"):
                largest.add_layers(outputs[key], expected[key])
            elif key.endswith("logits"):
                largest.add_head(outputs[key], expected[key])
    return largest


def keras_hub_to_ours(oracles, scratch):
    """Stored presets of KerasHub, read here, and written again."""
    largest = Largest(2)
    for name in ("backbone", "backbone_equal"):
        convert_checkpoint(oracles / "kerashub" / name, scratch / f"again_{name}", to="keras_hub")
        require_equal_weights(oracles / "kerashub" / name, scratch / f"again_{name}")
        arrays = np.load(oracles / f"kerashub/{name}.npz")
        inputs = {key: arrays[key] for key in ("token_ids", "segment_ids", "padding_mask")}
        for number, state in enumerate(ElectraEncoder.from_preset(
                oracles / "kerashub" / name).layer_outputs(inputs)[1:]):
            largest.add_layers(state, arrays[f"state/transformer_layer_{number}"])
    return largest


def ours_to_keras_hub(oracles, scratch, *, activation):
    """An encoder of ours, read by keras_hub: the same numbers if its GELU is the tanh approximation, else not."""
    largest = Largest()
    for name in [name for name in PLAIN if name.startswith(("model", "discriminator"))]:
        saved = load_model_folder(oracles / "huggingface" / name)
        if saved.config.activation != activation:
            continue
        largest.models += 1
        convert_checkpoint(oracles / "huggingface" / name, scratch / f"keras_hub_{name}", to="keras_hub")
        require_equal_weights(oracles / "huggingface" / name, scratch / f"keras_hub_{name}")
        inputs = ours(np.load(oracles / f"huggingface/{name}.inputs.npz"))
        backbone = keras_hub.models.ElectraBackbone.from_preset(str(scratch / f"keras_hub_{name}"))
        largest.add_layers(backbone(inputs)["sequence_output"],
                           ElectraEncoder.from_preset(oracles / "huggingface" / name)(inputs))
    return largest


def bert(oracles, scratch):
    """The encoders of random BERTs, as transformers saves them, with and without the prefix `bert.`."""
    largest = Largest()
    for name in ("BertModel", "BertForMaskedLM"):
        arrays = np.load(oracles / "huggingface/model.inputs.npz")
        np.savez(scratch / f"{name}.inputs.npz",
                 **{key: arrays[key] for key in ("input_ids", "token_type_ids", "attention_mask")})
        task = {"what": "make_bert", "class": name, "folder": str(scratch / name), "as_bin": name == "BertModel",
                "settings": {"vocab_size": 512, "hidden_size": 48, "num_hidden_layers": 4, "num_attention_heads": 3,
                             "intermediate_size": 80, "max_position_embeddings": 64},
                "inputs": str(scratch / f"{name}.inputs.npz"), "outputs": str(scratch / f"{name}.npz")}
        (scratch / "tasks.json").write_text(json.dumps([task]))
        subprocess.run([TORCH_PYTHON, TRANSFORMERS_SCRIPT, scratch / "tasks.json"], check=True, capture_output=True)
        expected = np.load(scratch / f"{name}.npz")
        for number, state in enumerate(ElectraEncoder.from_preset(scratch / name).layer_outputs(ours(arrays))):
            largest.add_layers(state, expected[f"hidden_states_{number}"])
        largest.models += 1
    return largest


def original(oracles, scratch):
    """Checkpoints with the variables that the original's graph had when it gave the stored outputs."""
    largest = Largest()
    for variant in ("proj", "noproj", "untied_embeddings", "tied_all"):
        arrays = np.load(oracles / f"original/pretrain_{variant}.npz")
        settings = json.loads((oracles / f"original/pretrain_{variant}.json").read_text())
        names = sorted(name for name in arrays.files if name.startswith("init/"))
        folder = scratch / f"original_{variant}"
        folder.mkdir()
        tf.raw_ops.SaveV2(prefix=str(folder / "model.ckpt"), tensor_names=[name[5:] for name in names],
                          shape_and_slices=[""] * len(names), tensors=[arrays[name] for name in names])
        (folder / "bert_config.json").write_text(json.dumps(settings["bert_config"]))
        others = {"segment_ids": arrays["step0/in/segment_ids"], "padding_mask": arrays["step0/in/input_mask"]}
        discriminator, generator = ElectraDiscriminator.from_preset(folder), ElectraGenerator.from_preset(folder)
        largest.models += 2
        scopes = [name.split("/")[1] for name in arrays.files if name.endswith("/layers")]
        for network, scope, token_ids in ((generator, scopes[0], arrays["out/masked/input_ids"]),
                                          (discriminator, scopes[-1], arrays["out/fake/input_ids"])):
            states = network.encoder.layer_outputs(token_ids, **others)
            for state, expected in zip(states[1:], arrays[f"out/{scope}/layers"], strict=True):
                largest.add_layers(state, expected)
        largest.add_head(discriminator(arrays["out/fake/input_ids"], **others), arrays["out/disc/logits"])
        largest.add_head(generator(arrays["out/masked/input_ids"], positions=arrays["out/masked/masked_lm_positions"],
                                   **others), arrays["out/gen/logits"])
        convert_checkpoint(folder, folder / "again", to="original")
        before, after = (tf.train.load_checkpoint(str(prefix)) for prefix in (
            folder / "model.ckpt", folder / "again/model.ckpt"))
        if not all(np.array_equal(before.get_tensor(name[5:]), after.get_tensor(name[5:])) for name in names):
            sys.exit("the weights differ, which no conversion may do")
    return largest


def main(oracles):
    oracles = pathlib.Path(oracles).resolve()
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        rows = {
            "1-original": original(oracles, scratch).row("original (TF1) -> here", "bit-equal, there and back"),
            "2-hugging-face": hugging_face(oracles, PLAIN, scratch).row(
                "Hugging Face -> here", "bit-equal, there and back"),
            "3-hugging-face-stored-otherwise": hugging_face(oracles, STORED_OTHERWISE, scratch).row(
                "Hugging Face, .bin, shards or 16 bits -> here", "bit-equal after widening to 32 bits"),
            "5-keras-hub": keras_hub_to_ours(oracles, scratch).row("KerasHub -> here", "bit-equal, there and back"),
            "6-to-keras-hub": ours_to_keras_hub(oracles, scratch, activation="gelu_tanh").row(
                "here, tanh GELU -> keras_hub", "bit-equal"),
            "7-to-keras-hub-exact": ours_to_keras_hub(oracles, scratch, activation="gelu").row(
                "here, exact GELU -> keras_hub, which cannot represent it", "bit-equal"),
        }
        if TORCH_PYTHON.exists():
            rows["4-to-transformers"] = to_transformers(oracles, scratch).row(
                "Hugging Face -> here -> transformers", "bit-equal")
            rows["8-bert"] = bert(oracles, scratch).row("BERT of transformers -> here", "the encoder alone")
    for name, row in sorted(rows.items()):
        print(json.dumps(row))
        files.write_json_atomically(RESULTS / f"conversion-{name}.json", {
            "table": "conversion", "row": row,
            "command": "python benchmarks/conversion_differences.py ../shared/oracles",
            "machine": f"CPU, {platform.machine()}, TensorFlow {tf.__version__}, keras_hub {keras_hub.__version__}, "
                       f"float32"})


if __name__ == "__main__":
    main(*sys.argv[1:])
