"""Job: a tuned model -> a LiteRT file for phones and small devices. `--help` shows the flags."""

import dataclasses
import pathlib

import electra_tf
from electra_tf.config import setting
from experiments import job


@dataclasses.dataclass(frozen=True)
class Flags:
    """Exports a tuned model as a .tflite file that takes token ids, and compares its answers with Keras."""

    model: str = job.required("folder of a fine-tuning run, or the model folder in it")
    output: str = job.required("file to make, such as model.tflite; OUTPUT.json beside it holds labels and inputs")
    quantization: str = setting("float32", "form of the weights: float32, float16 (half the size) or int8 (a quarter)")


def main(flags):
    difference = electra_tf.export_litert(flags.model, flags.output, quantization=flags.quantization)
    size = pathlib.Path(flags.output).stat().st_size / 1e6
    print(f"{flags.output}: {size:.1f} MB, probabilities within {difference:.1e} of Keras on sample texts")


if __name__ == "__main__":
    job.run_job(main, Flags)
