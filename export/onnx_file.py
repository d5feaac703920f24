"""Job: a tuned model -> an ONNX file for other runtimes. `--help` shows the flags."""

# Not named onnx.py: the folder of a job comes first in Python's path, and the package onnx must be found.
import dataclasses
import pathlib

import electra_tf
from experiments import job


@dataclasses.dataclass(frozen=True)
class Flags:
    """Exports a tuned model as an ONNX file that takes token ids, and compares its answers with Keras."""

    model: str = job.required("folder of a fine-tuning run, or the model folder in it")
    output: str = job.required("file to make, such as model.onnx; OUTPUT.json beside it holds labels and inputs")


def main(flags):
    difference = electra_tf.export_onnx(flags.model, flags.output)
    size = pathlib.Path(flags.output).stat().st_size / 1e6
    print(f"{flags.output}: {size:.1f} MB, probabilities within {difference:.1e} of Keras on sample texts")


if __name__ == "__main__":
    job.run_job(main, Flags)
