"""Compiles the CPU operations: `python -m electra_tf.kernels.build`, half a minute, once for each TensorFlow."""

import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

import tensorflow as tf

SOURCE = pathlib.Path(__file__).resolve().parent / "source"

# One object for each set of instructions; the processor at hand decides at run time.
_VARIANTS = {
    "kTableAvx2": ["-mavx2", "-mfma"],
    "kTableAvx512": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mbmi2", "-mfma"],
    "kTableAvx512Bfloat16": ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512bf16", "-mbmi2",
                             "-mfma"],
}
_FLAGS = ["-std=c++17", "-O3", "-fno-math-errno", "-fPIC", "-fvisibility=hidden", "-w"]


def library_path():
    """Where the library for this source code and this TensorFlow lies, whether it was built or not."""
    content = hashlib.sha256()
    for path in sorted(SOURCE.iterdir()):
        content.update(path.read_bytes())
    content.update(f"{tf.__version__} {_FLAGS} {_VARIANTS}".encode())
    beside = SOURCE.parent / "built"
    is_ours = os.access(beside if beside.is_dir() else SOURCE.parent, os.W_OK)
    folder = beside if is_ours else pathlib.Path.home() / ".cache" / "electra_tf"
    return folder / f"libelectra_{content.hexdigest()[:16]}.so"


def why_impossible():
    """One sentence that says what is missing to compile them here, or None."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return f"they are written for Linux on x86-64, and this is {sys.platform} on {platform.machine()}"
    if compiler() is None:
        return "no C++ compiler was found (g++, or the one that CXX names)"
    return None


def processor_flags():
    """The processor's features by their names in Linux; empty elsewhere."""
    path = pathlib.Path("/proc/cpuinfo")
    return set(path.read_text(encoding="utf-8").split()) if path.is_file() else set()


def has_instructions(dtype):
    """Whether this processor has what the operations on activations of this dtype need."""
    wide = {"avx512_bf16", "avx512bw", "avx512dq", "avx512vl", "bmi2"}
    needed = {"avx2", "fma"} | (wide if dtype == "bfloat16" else set())
    return needed <= processor_flags()


def compiler():
    """Path of the C++ compiler: the one that CXX names, else g++; None where there is none."""
    return shutil.which(os.environ.get("CXX") or "g++")


def build():
    """Compiles the library unless it is there.

    Returns:
        Path of the library.

    Raises:
        RuntimeError: it cannot be compiled here; the message says why.

    >>> build()
    """
    path = library_path()
    if path.is_file():
        return path
    if reason := why_impossible():
        raise RuntimeError(f"The CPU operations cannot be built: {reason}.")
    print("Compiling the fused CPU operations for training: half a minute, once.", file=sys.stderr, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        objects = [_compile(pathlib.Path(folder) / f"{name}.o", SOURCE / "variant.cc",
                            [*flags, f"-DELECTRA_TABLE={name}"]) for name, flags in _VARIANTS.items()]
        compile_flags, link_flags = _tensorflow_flags()
        objects.append(_compile(pathlib.Path(folder) / "operations.o", SOURCE / "operations.cc", compile_flags))
        library = pathlib.Path(folder) / path.name
        _run([compiler(), "-shared", "-o", str(library), *map(str, objects), *link_flags])
        os.replace(library, path)  # whole or not at all, also with two builds at a time
    for other in path.parent.glob("libelectra_*.so"):
        if other != path:
            other.unlink()
    return path


def _tensorflow_flags():
    # In a process of its own, as the import takes seconds and prints.
    code = ("import tensorflow as tf; print('\\n'.join(tf.sysconfig.get_compile_flags())); print(); "
            "print('\\n'.join(tf.sysconfig.get_link_flags()))")
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True,
                            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}).stdout
    return [part.split("\n") for part in answer.strip().split("\n\n")]


def _compile(target, source, flags):
    _run([compiler(), *_FLAGS, *flags, "-c", str(source), "-o", str(target)])
    return target


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The CPU operations cannot be built: {command[0]} failed.\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    try:
        print(f"CPU operations: {build()}")
    except RuntimeError as error:
        print(f"{error}\nTraining uses TensorFlow's own operations instead, which takes longer.")
