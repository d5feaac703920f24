"""The report of a finished fine-tuning run, from what lies in its folder."""

import json
import pathlib

import numpy as np

from electra_tf.config import read_json
from electra_tf.tasks.report.parts import Curves, Report, Section, Table
from electra_tf.tasks.report.shared_sections import answer_sections, settings_section
from electra_tf.tasks.statistics.prediction_files import TRIALS, read_predictions
from electra_tf.tasks.statistics.trials import collapse_words, kept_attempts, numbered_attempts, trials_summary
from electra_tf.training.run_folder import RESULT_FILE

LOG_FILE = "log.jsonl"


def run_report(folder, *, coloured_texts=()):
    """The report of a run.

    Args:
        folder: of a finished run: result.json and, in trials/SEED, log.jsonl and predictions.jsonl.
        coloured_texts: ColouredTexts, see coloured_texts.py; they need the model, which is not loaded here.

    Returns:
        Report.

    >>> write_report("runs/polarity/report.html", run_report("runs/polarity"))
    """
    folder = pathlib.Path(folder)
    result = read_json(folder / RESULT_FILE)
    best = result["best_seed"]
    # The trial whose model was kept is the one whose single answers are shown.
    predictions = read_predictions(folder / TRIALS / str(best)).trials[0]
    of_best = f"Answers on the {result['split']} set of the trial with seed {best}, whose model was kept."
    sections = [Section("Learning curves", "Each trial's training loss, and its score on the validation set.",
                        _curves(folder, result)),
                Section("Trials", _unscored_ensemble(result), (
                    trials_part(result["trials"], metric=result["metric"], best_seed=best), *_ensemble_parts(result)))]
    sections += answer_sections(predictions, coloured_texts, of_whom=of_best)
    sections.append(settings_section(result, caption=f"Settings (hash {result.get('settings_hash', '')[:12]})"))
    return Report(f"{result['task']}: {result['metric']} on {result['split']}", _lead(result), _facts(result),
                  tuple(sections))


def trials_part(attempts, *, metric, best_seed=None):
    """The table of all attempts of all trials; the one whose model was kept stands out.

    Args:
        attempts: result.json's "trials".
        metric: name of the score.
        best_seed: seed of the trial whose model was kept.

    >>> trials_part(result["trials"], metric="accuracy").header[0]   # 'trial'
    """
    numbered = numbered_attempts(attempts)
    rows = [{"trial": trial + 1, "seed": str(entry["seed"]), metric: float(entry["score"]),
             f"{metric}, validation": (entry.get("validation") or {}).get(metric), "best step": int(entry["best_step"]),
             "collapsed": collapse_words(entry), "attempt": f"restart {attempt}" if attempt else "first",
             "model": "kept" if entry["seed"] == best_seed else ""} for trial, attempt, entry in numbered]
    hidden = set() if any(attempt for _, attempt, _ in numbered) else {"attempt"}
    # Without a test set the score is the validation's.
    hidden |= {name for name in rows[0] if all(row[name] in (None, row[metric]) for row in rows)} - {metric}
    header = tuple(name for name in rows[0] if name not in hidden)
    return Table(header, tuple(tuple(row[name] for name in header) for row in rows),
                 "Every attempt; the last one of each trial counts." if "attempt" in header else "Every trial.",
                 tuple(place for place, row in enumerate(rows) if row["model"]))


def _ensemble_parts(result):
    """All scores of the ensemble beside those of its members, where the run has one that was scored."""
    if not result.get("ensemble"):
        return ()
    members = {entry["seed"]: entry["metrics"] for entry in kept_attempts(result["trials"])}
    rows = tuple((name, value, np.mean([metrics[name] for metrics in members.values()]).item(),
                  members[result["best_seed"]][name]) for name, value in result["ensemble"].items())
    return (Table(("score", "ensemble", "mean of its members", "kept model"), rows,
                  f"The ensemble answers with the mean of the logits of all {len(members)} trials that count.",
                  tuple(place for place, row in enumerate(rows) if row[0] == result["metric"])),)


def _unscored_ensemble(result):
    if not result["settings"].get("ensemble") or result.get("ensemble"):
        return ""
    return "The ensemble of the trials has no score: every row has trained one of its members."


def _lead(result):
    trials = kept_attempts(result["trials"])
    examples = ", ".join(f"{count:,} {name}" for name, count in result.get("examples", {}).items())
    start = "random weights in the architecture of" if result["settings"].get("random_weights") else "the weights of"
    return (f"{'One trial' if len(trials) == 1 else f'{len(trials)} trials'} from {start} "
            f"{result['settings'].get('model')}; rows: {examples}.")


def _facts(result):
    summary = trials_summary(result["trials"])
    of_what = f"{result['metric']}, {result['split']} set"
    if summary["std"] is None:
        facts = [("score", f"{summary['median']:.4f}", f"{of_what}; one trial shows no spread")]
    else:
        low, high = summary["interval"]
        facts = [("median", f"{summary['median']:.4f}", of_what),
                 ("mean", f"{summary['mean']:.4f}", f"standard deviation {summary['std']:.4f}"),
                 ("95 % interval", f"{low:.3f}\u2013{high:.3f}", "of the mean, bootstrap over trials")]
    if result.get("ensemble"):
        facts.append(("ensemble", f"{result['ensemble'][result['metric']]:.4f}", f"{of_what}; all trials as one model"))
    restarts = summary["restarts"]
    note = f"and {restarts} restarted" if restarts else "none restarted"
    if restarts:
        note += f"; median without restarts {summary['without_restarts']['median']:.4f}"
    return [*facts, ("collapsed trials", str(summary["collapsed"]), note)]


def _curves(folder, result):
    losses, scores, faded = {}, {}, []
    for _, _, entry in numbered_attempts(result["trials"]):
        name = f"seed {entry['seed']}"
        records = _records(folder / TRIALS / str(entry["seed"]) / LOG_FILE)
        # Both are means since the last evaluation.
        losses[name] = [(record["step"], record.get("train_loss", record.get("loss"))) for record in records
                        if record["event"] in ("train", "validation")]
        scores[name] = [(record["step"], record[result["metric"]]) for record in records
                        if record["event"] == "validation"]
        if entry.get("collapsed"):
            faded.append(name)
    return (Curves("training loss", losses, tuple(faded)),
            Curves(f"{result['metric']}, validation set", scores, tuple(faded)))


def _records(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
