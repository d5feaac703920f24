"""The code for older processors computes what that for newer ones does."""

import pathlib
import subprocess

import pytest

from electra_tf.kernels import build


@pytest.mark.slow
@pytest.mark.skipif(build.why_impossible() is not None or "avx512dq" not in build.processor_flags(),
                    reason="needs a compiler and a processor with AVX-512, to run both")
def test_avx2_computes_what_avx512_does(tmp_path):
    source = pathlib.Path(__file__).with_name("compare_variants.cc")
    command = [build.compiler(), "-std=c++17", "-O3", "-fno-math-errno", "-w", "-I", str(build.SOURCE)]
    objects = []
    for name, variant in (("kAvx2", "kTableAvx2"), ("kAvx512", "kTableAvx512")):
        objects.append(str(tmp_path / f"{name}.o"))
        subprocess.run([*command, *build._VARIANTS[variant], f"-DELECTRA_TABLE={name}", "-c",
                        str(build.SOURCE / "variant.cc"), "-o", objects[-1]], check=True)
    subprocess.run([*command, str(source), *objects, "-o", str(tmp_path / "compare")], check=True)
    answer = subprocess.run([tmp_path / "compare"], check=True, capture_output=True, text=True).stdout.split()
    assert int(answer[0]) == 26 and float(answer[1]) < 1e-5
