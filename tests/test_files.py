"""Files appear whole or not at all, and other work is never overwritten."""

import hashlib
import json
import os
import pathlib

import pytest

from electra_tf import files
from electra_tf.errors import InputError


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_and_leaves_no_temporary_name(tmp_path):
    files.write_text_atomically(tmp_path / "deep" / "a.txt", "ä\r\nb\n")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == b"\xc3\xa4\r\nb\n"
    assert names_in(tmp_path / "deep") == ["a.txt"]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "result.json"
    files.write_json_atomically(target, {"step": 1})

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(InputError, match="result.json cannot be written: No space left on device; give a path"):
        files.write_json_atomically(target, {"step": 2})
    assert json.loads(target.read_text()) == {"step": 1}


def test_json_keeps_key_order_and_text_as_it_is(tmp_path):
    files.write_json_atomically(tmp_path / "a.json", {"z": "é", "a": [1, 2.5, None]})
    assert (tmp_path / "a.json").read_text() == '{\n  "z": "é",\n  "a": [\n    1,\n    2.5,\n    null\n  ]\n}\n'


def test_a_new_folder_gets_its_name_when_the_block_ends(tmp_path):
    with files.new_folder(tmp_path / "out") as folder:
        (folder / "shard").write_text("x")
        (folder / "inner").mkdir()
        (folder / "inner" / "y").write_text("y")
        assert not (tmp_path / "out").exists()
    assert names_in(tmp_path) == ["out"]
    assert names_in(tmp_path / "out") == ["inner", "shard"]


def test_an_error_in_the_block_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="disk on fire"), files.new_folder(tmp_path / "out") as folder:
        (folder / "shard").write_text("x")
        raise RuntimeError("disk on fire")
    assert names_in(tmp_path) == []


def test_what_a_killed_job_left_is_replaced(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "old").write_text("old")
    with files.new_folder(tmp_path / "out") as folder:
        (folder / "new").write_text("new")
    assert names_in(tmp_path) == ["out"]
    assert names_in(tmp_path / "out") == ["new"]


def test_an_empty_folder_is_accepted_also_through_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with files.new_folder(tmp_path / "link") as folder:
        (folder / "a").write_text("a")
    assert names_in(tmp_path / "real") == ["a"]


def test_a_mount_point_which_no_folder_can_replace_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda path: pathlib.Path(path) == tmp_path)
    with pytest.raises(InputError, match="is a mount point; give a new folder inside it"), files.new_folder(tmp_path):
        pytest.fail("the block must not run")
    with files.new_folder(tmp_path / "inside") as folder:
        (folder / "a").write_text("a")
    assert names_in(tmp_path) == ["inside"]


def test_other_work_is_refused_and_kept(tmp_path):
    for name in "abcde":
        (tmp_path / name).write_text(name)
    with pytest.raises(InputError, match=r"holds other work \(a, b, c, d and 1 more\), which is never overwritten"), \
            files.new_folder(tmp_path):
        pytest.fail("the block must not run")
    assert names_in(tmp_path) == list("abcde")


def test_work_that_appears_meanwhile_is_refused_and_kept(tmp_path):
    with pytest.raises(InputError, match=r"holds other work \(theirs\)"), files.new_folder(tmp_path / "out") as folder:
        (folder / "ours").write_text("ours")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").write_text("theirs")
    assert names_in(tmp_path / "out") == ["theirs"]


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(InputError, match="is a file; give the path of a new or empty folder"):
        files.require_new_or_empty(tmp_path / "out")
    with pytest.raises(InputError, match="out exists already and is never overwritten"):
        files.require_new_file(tmp_path / "out")
    with pytest.raises(InputError, match="cannot be written: .*; give a path where you may write"), \
            files.new_folder(tmp_path / "out" / "inner"):
        pytest.fail("the block must not run")


def test_sha256_is_that_of_hashlib_across_blocks(tmp_path):
    data = bytes(range(256)) * 8195
    (tmp_path / "a").write_bytes(data)
    assert len(data) > 2 * files._BLOCK_BYTES
    assert files.sha256_of(tmp_path / "a") == hashlib.sha256(data).hexdigest()
