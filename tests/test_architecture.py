"""The shape of the code: arrows between rooms, no circles, a light import, files of one idea, clean text."""

import ast
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import electra_tf

ROOT = pathlib.Path(__file__).resolve().parents[1]
BOTTOM = {"errors", "files", "progress", "settings", "config"}

# room -> what it may import; a name with a dot is one file of a room. Each room stands below all that it imports.
ROOMS = {
    "errors": set(),
    "progress": set(),
    "presets": set(),
    "files": {"errors"},
    "settings": {"errors"},
    "optimizer_config": {"errors", "settings"},
    "augmentation_config": {"errors", "settings"},
    "config": {"errors", "presets", "settings", "optimizer_config", "augmentation_config"},
    "sample_data": {"errors"},
    "text": BOTTOM,
    "convert": BOTTOM | {"text"},
    "records": BOTTOM | {"text"},
    "kernels": set(),
    "objective": {"config", "errors", "kernels"},
    "model": BOTTOM | {"text", "convert", "kernels", "objective.random_bits"},
    "training": BOTTOM | {"records", "kernels", "objective", "model"},
    "tasks": BOTTOM | {"text", "kernels", "objective", "model", "training.optimizer", "training.run_folder"},
    "serving": BOTTOM | {"text", "kernels", "model", "tasks"},
}
GENERATED = {"electra_tf/text/unicode_tables.py"}
MOST_LINES = 400


def tracked_files(*folders):
    """Paths of the files that git knows, or has not been told to ignore."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *folders], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules():
    """Dict of module name -> syntax tree, the whole package."""
    return {module_name(path): ast.parse(path.read_text(encoding="utf-8"))
            for path in sorted((ROOT / "electra_tf").rglob("*.py"))}


def imported_modules(tree, known):
    """Names of the package's modules that a syntax tree imports, each with its line."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import; write the whole name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(name if name in known else node.module, node.lineno) for name in names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
    return [(name, line) for name, line in found if name.split(".")[0] == "electra_tf"]


def wrong_arrows(trees):
    """One sentence for each import that leads up or past what the table allows."""
    wrong = []
    for name, tree in trees.items():
        if name == "electra_tf":
            continue
        room = name.split(".")[1]
        for target, line in imported_modules(tree, trees):
            inner = target.split(".")[1:]
            # `import electra_tf` reaches everything lazily, so only plain facts of the package may be read from it.
            allowed = not inner or inner[0] == room or inner[0] in ROOMS[room] or ".".join(inner[:2]) in ROOMS[room]
            if not allowed:
                wrong.append(f"{name}, line {line}: {room} must not import {target}")
        for node in ast.walk(tree):
            if (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "electra_tf"
                    and not node.attr.startswith("__")):
                wrong.append(f"{name}, line {node.lineno}: electra_tf.{node.attr} hides an import; write it out")
    return wrong


def find_circle(graph):
    """Names along one circle of a graph (dict of name -> names), or an empty list."""
    done = set()

    def walk(name, path):
        if name in path:
            return [*path[path.index(name):], name]
        if name in done:
            return []
        for target in graph.get(name, ()):
            circle = walk(target, [*path, name])
            if circle:
                return circle
        done.add(name)
        return []

    for start in graph:
        circle = walk(start, [])
        if circle:
            return circle
    return []


def hidden_imports(tree):
    """Lines of imports inside functions, and of calls that import by name."""
    lines = []
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            lines += [node.lineno for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    lines += [call.lineno for call in calls
              if (isinstance(call, ast.Name) and call.id == "__import__")
              or (isinstance(call, ast.Attribute) and call.attr == "import_module")]
    return sorted(set(lines))


def test_rooms_import_only_rooms_above_them():
    assert wrong_arrows(modules()) == []


def test_the_table_of_rooms_is_ordered_and_complete():
    order = list(ROOMS)
    for room, allowed in ROOMS.items():
        late = [name for name in allowed if order.index(name.split(".")[0]) >= order.index(room)]
        assert not late, f"{room} stands above {late}"
    assert {name.split(".")[1] for name in modules() if "." in name} <= set(ROOMS)


def test_a_wrong_arrow_is_named():
    trees = {"electra_tf.text.vocabulary": ast.parse("from electra_tf.model import encoder\nimport electra_tf"),
             "electra_tf.model.encoder": ast.parse("from electra_tf.objective.losses import f\nimport electra_tf.text"),
             "electra_tf.objective.losses": ast.parse("import electra_tf\nx = electra_tf.Vocabulary")}
    assert wrong_arrows(trees) == [
        "electra_tf.text.vocabulary, line 1: text must not import electra_tf.model.encoder",
        "electra_tf.model.encoder, line 1: model must not import electra_tf.objective.losses",
        "electra_tf.objective.losses, line 2: electra_tf.Vocabulary hides an import; write it out"]


def test_no_module_imports_itself_in_a_circle():
    trees = modules()
    graph = {name: [target for target, _ in imported_modules(tree, trees) if target != "electra_tf"]
             for name, tree in trees.items()}
    assert find_circle(graph) == []


def test_a_circle_is_named():
    assert find_circle({"a": ["b"], "b": ["c", "d"], "c": [], "d": ["b"]}) == ["b", "d", "b"]
    assert find_circle({"a": ["b", "c"], "b": ["c"], "c": []}) == []


def test_imports_stand_at_the_top_of_a_file():
    hidden = {str(path.relative_to(ROOT)): lines
              for path in tracked_files("*.py")
              if (lines := hidden_imports(ast.parse(path.read_text(encoding="utf-8"))))}
    # The package itself loads its public names when they are first used.
    assert set(hidden) <= {"electra_tf/__init__.py"}, hidden


def test_a_hidden_import_is_found():
    source = "import a\ndef f():\n    import b\ndef g():\n    return importlib.import_module('c')\nd = __import__('d')"
    assert hidden_imports(ast.parse(source)) == [3, 5, 6]


@pytest.mark.parametrize("statement", [
    "import electra_tf",
    "import electra_tf; electra_tf.Vocabulary; electra_tf.Tokenizer; electra_tf.read_corpus; electra_tf.PRESETS",
    "import electra_tf.records.manifest, electra_tf.files, electra_tf.progress, electra_tf.training.run_folder",
])
def test_vocabulary_and_record_checks_run_without_tensorflow(statement):
    check = "import sys; print(sorted({'tensorflow', 'keras', 'tensorflow_text', 'absl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", f"{statement}\n{check}"], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def jobs():
    return sorted(str(path.relative_to(ROOT)) for folder in ("experiments", "export")
                  for path in (ROOT / folder).glob("*.py") if "run_job(" in path.read_text(encoding="utf-8")
                  and path.name != "job.py")


@pytest.mark.parametrize("job", jobs())
def test_help_of_a_job_is_light_and_complete(job, tmp_path):
    done = subprocess.run([sys.executable, "-X", "importtime", str(ROOT / job), "--help"], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = set(re.findall(r"\|\s+(\w+)$", done.stderr, flags=re.MULTILINE))
    assert "absl" in loaded and not loaded & {"tensorflow", "keras", "matplotlib"}
    assert "usage: python" in done.stdout and "--flagfile" in done.stdout and "--config" in done.stdout
    # A name of up to 33 characters has its description on the same line.
    assert re.findall(r"^  -?-?[a-z].{0,32}$", done.stdout, flags=re.MULTILINE) == []


@pytest.mark.parametrize("name", electra_tf.__all__)
def test_a_public_name_is_documented_with_an_example(name):
    value = getattr(electra_tf, name)
    if callable(value):
        assert value.__doc__ and ">>>" in value.__doc__, f"{name} needs a docstring with an example"


def test_files_hold_one_idea():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
               for path in tracked_files("*.py")}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES and name not in GENERATED} == {}


def test_no_machine_path_and_no_registry_host_is_committed():
    hosts = r"pypi\.org|python" + r"hosted|registry\.npmjs|deb\.debian|proxy\.golang"
    pattern = re.compile(rf"(?<![\w.])/(?:work|root|opt)/|{hosts}")
    found = [f"{path.relative_to(ROOT)}, line {number}: {line.strip()[:100]}"
             for path in tracked_files() if path.suffix not in {".gz", ".png", ".safetensors", ".xz"}
             for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
             if pattern.search(line) and path != pathlib.Path(__file__).resolve()]
    assert found == []


def test_ruff_finds_nothing():
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--output-format=concise", "."], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
