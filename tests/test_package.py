"""The wheel holds the package with its data and nothing else; its ranges agree with the lock file."""

import email
import re
import shutil
import subprocess
import sys
import zipfile

import packaging.markers
import packaging.requirements
import packaging.specifiers
import packaging.version
import pytest

import electra_tf
from tests.test_architecture import ROOT, tracked_files


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from the files that git would give to someone who clones."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in tracked_files():
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
                    "--disable-pip-version-check", "--wheel-dir", target, source], check=True, capture_output=True)
    with zipfile.ZipFile(next(target.glob("*.whl"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_whole_package_and_only_it(wheel):
    packaged = {name for name in wheel if ".dist-info/" not in name}
    assert packaged == {str(path.relative_to(ROOT)) for path in tracked_files("electra_tf")}


def metadata_of(wheel):
    return email.message_from_bytes(next(data for name, data in wheel.items() if name.endswith("METADATA")))


def test_the_wheel_says_what_it_is_and_needs(wheel):
    metadata = metadata_of(wheel)
    assert (metadata["Name"], metadata["Version"]) == ("electra-tf", electra_tf.__version__)
    assert "Apache-2.0" in (metadata["License"], metadata["License-Expression"])
    assert packaging.specifiers.SpecifierSet(metadata["Requires-Python"]) == ">=3.11,<3.14"
    assert set(metadata.get_all("Provides-Extra")) == {"test", "onnx", "openvino", "litert", "serving"}


def locked(python_version):
    """Dict of package name -> version that the lock file gives a Linux machine with this Python."""
    environment = {**packaging.markers.default_environment(), "sys_platform": "linux", "platform_machine": "x86_64",
                   "python_version": python_version, "python_full_version": f"{python_version}.4"}
    versions = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if re.match(r"[a-z0-9]", line):
            requirement = packaging.requirements.Requirement(line.removesuffix("\\").strip())
            if requirement.marker is None or requirement.marker.evaluate(environment):
                assert requirement.name not in versions, f"{requirement.name} is locked twice for {python_version}"
                versions[requirement.name] = packaging.version.Version(str(requirement.specifier).removeprefix("=="))
    return versions


@pytest.mark.parametrize("python_version", ["3.11", "3.12", "3.13"])
def test_the_lock_file_fits_the_ranges_of_the_package(wheel, python_version):
    versions = locked(python_version)
    needed = [packaging.requirements.Requirement(text) for text in metadata_of(wheel).get_all("Requires-Dist")]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": "test"})]
    assert len(needed) > 10
    for requirement in needed:
        name = requirement.name.replace("_", "-").lower()
        assert versions[name] in requirement.specifier, f"{requirement} against {versions[name]}"


def test_every_locked_package_has_hashes():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 60
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("python", ["no-such-python", sys.executable + "-missing"])
def test_setup_refuses_a_wrong_python_in_one_sentence(tmp_path, python):
    for name in ("Makefile", "requirements.lock", "setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    done = subprocess.run(["make", "setup", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"PYTHON='{python}' is no Python 3.11, 3.12 or 3.13 with venv; install one or name")
    assert not (tmp_path / ".venv").exists()
