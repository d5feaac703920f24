"""What the package is and what it needs: ranges of one minor version, so that the libraries of its users resolve.

Development installs the exact versions of requirements.lock (`make setup`; `make lock` renews that file).
"""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).resolve().parent
README = ROOT / "README.md"

TEST = ["pytest>=9.0,<10", "pytest-xdist>=3.8,<4", "hypothesis>=6.100,<7", "ruff>=0.17,<0.18"]

setuptools.setup(
    name="electra-tf",
    version=re.search(r'__version__ = "(.+)"', (ROOT / "electra_tf" / "__init__.py").read_text(encoding="utf-8"))[1],
    description="ELECTRA on TensorFlow and Keras: from raw text to a served model",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    # The root itself: an editable install then also finds experiments/ and export/, which no wheel holds.
    package_dir={"": "."},
    packages=setuptools.find_packages(include=["electra_tf", "electra_tf.*"]),
    package_data={"electra_tf": [f"**/*.{ending}" for ending in (
        "cc", "gz", "h", "json", "jsonl", "md", "npz", "png", "safetensors", "tsv", "txt", "xz")]},
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "tensorflow-text>=2.21,<2.22",
        "keras>=3.15,<3.16",
        "keras-nlp>=0.32,<0.33",
        "tensorflow-datasets>=4.9.10,<4.10",
        "importlib_resources>=6",       # tensorflow-datasets imports it without saying so
        "absl-py>=2.1,<3",
        "numpy>=2.1,<3",
        "tokenizers>=0.23,<0.24",       # learns the vocabulary
        "safetensors>=0.8,<0.9",        # the weights in a model folder
        "matplotlib>=3.10,<4",          # curves of a run
    ],
    extras_require={
        "test": TEST,
        "onnx": ["onnx>=1.20,<2", "onnxruntime>=1.23,<2", "tf2onnx>=1.17,<1.18"],
        "openvino": ["openvino>=2026.4,<2027"],
        "litert": ["ai-edge-litert>=2.1,<3"],
        "serving": ["tensorflow-serving-api>=2.21,<2.22"],
    },
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
)
