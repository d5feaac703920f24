import json
import math

import pytest

from electra_tf.training.callbacks.log_file import LOG_FILE, LogFile, history, read_log

FIRST, SECOND = {"event": "train", "step": 1, "loss": 2.5}, {"event": "train", "step": 2, "loss": 2.25}


def test_records_come_back_in_order(tmp_path):
    assert read_log(tmp_path) == []
    log = LogFile(tmp_path)
    log(FIRST)
    log(SECOND)
    assert read_log(tmp_path) == [FIRST, SECOND]
    assert [json.loads(line) for line in (tmp_path / LOG_FILE).read_text().splitlines()] == [FIRST, SECOND]


def test_a_line_cut_short_by_a_kill_is_left_out_and_nothing_is_glued_to_it(tmp_path):
    LogFile(tmp_path)(FIRST)
    with open(tmp_path / LOG_FILE, "a") as file:
        file.write('{"event": "train", "st')
    assert read_log(tmp_path) == [FIRST]
    LogFile(tmp_path)(SECOND)
    assert read_log(tmp_path) == [FIRST, SECOND]


def test_a_number_that_json_does_not_know_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        LogFile(tmp_path)({"event": "train", "step": 1, "loss": math.nan})


def test_history_leaves_out_what_a_kill_undid():
    def record(event, step):
        return {"event": event, "step": step}

    log = [record("start", 0), record("train", 4), record("validation", 4), record("train", 8),
           record("start", 4), record("train", 8), record("train", 12), record("start", 8)]
    assert history(log) == [record("start", 0), record("train", 4), record("validation", 4), record("start", 4),
                            record("train", 8), record("start", 8)]
