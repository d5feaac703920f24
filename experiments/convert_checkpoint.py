"""Job: a checkpoint of another program -> ours, or the other way. `--help` shows the flags."""

import dataclasses

import electra_tf
from electra_tf import config
from experiments import job


@dataclasses.dataclass(frozen=True)
class Flags:
    """Converts between model folders of electra_tf, TF1 checkpoints of the original ELECTRA, Hugging Face folders and
    KerasHub presets; reads the encoders of BERTs as well. The input's format is recognised by its content.

    The jobs take any of these formats as they are; convert to keep the result, or to give it to another program.
    """

    input: str = job.required("folder of any of the formats, or the path of a TF1 checkpoint without its ending")
    output: str = job.required("folder to make")
    to: str = config.setting("electra_tf", "format to write: electra_tf, original, huggingface or keras_hub")
    part: str | None = config.setting(None, "discriminator or generator: one of two; encoder: without the head")
    vocabulary: str | None = config.setting(None, "vocabulary folder or vocab.txt, for an input that has none")
    num_heads: int | None = config.setting(None, "attention heads, for a TF1 checkpoint without bert_config.json where "
                                                 "they are not 64 wide")
    extend_vocabulary: str | None = config.setting(None, "vocabulary folder or file of pieces, one a line, whose new "
                                                         "ones are added; they start as the mean of their old pieces")
    max_positions: int | None = config.setting(None, "longest input of the result, more than the model has")
    position_extension: str = config.setting("copy", "how positions for it are made: copy or interpolation")
    pairs: bool = config.setting(False, "a tuned model of whole texts takes pairs, which no other format tells")
    sequence_length: int | None = config.setting(None, "pieces of a tuned model's longest input, which no other "
                                                       "format tells")
    weights_dtype: str = config.setting("float32", "float32, or float16 for a file of half the size; for "
                                                   "--to=electra_tf")


def main(flags):
    done = electra_tf.convert_checkpoint(
        flags.input, flags.output, to=flags.to, part=flags.part, vocabulary=flags.vocabulary,
        num_heads=flags.num_heads, extend_vocabulary=flags.extend_vocabulary, max_positions=flags.max_positions,
        position_extension=flags.position_extension, pairs=flags.pairs or None, sequence_length=flags.sequence_length,
        weights_dtype=flags.weights_dtype)
    print(f"{flags.input} is of format {done.source}")
    for sentence in done.told:
        print(sentence)
    for kind, folder in done.folders.items():
        print(f"{kind}: {folder} is of format {flags.to}")


if __name__ == "__main__":
    job.run_job(main, Flags)
