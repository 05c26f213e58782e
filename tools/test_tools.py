"""Every check is shown something broken and has to notice: `python -m pytest tools`."""
import json
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import check_imports  # noqa: E402
import check_repo  # noqa: E402
import check_speed  # noqa: E402
import check_sync  # noqa: E402
import make_readme  # noqa: E402

LIB = "edge_glass_modular"


def write_notebook(path: Path, *cells: str, title: str = "# page", outputs: list | None = None) -> None:
    "A notebook of code cells; the last one carries the outputs."
    nb = new_notebook(cells=[new_markdown_cell(title), *(new_code_cell(c) for c in cells)], metadata={"kernelspec": {"name": "python3", "display_name": "python3", "language": "python"}})
    nb.cells[-1]["outputs"] = outputs or []
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    "A project of two rooms, exported, clean and committed nowhere."
    shutil.copy(ROOT / "settings.ini", tmp_path)
    (tmp_path / LIB / "utils").mkdir(parents=True)
    write_notebook(tmp_path / "nbs" / "00_core.ipynb", "#| default_exp core", "#| export\ndef one(): return 1")
    write_notebook(tmp_path / "nbs" / "02_registry.ipynb", "#| default_exp utils.registry", f"#| export\nfrom {LIB}.core import one", "one()",
                   outputs=[new_output("execute_result", {"text/plain": "1"})])
    copy = tmp_path / "copy"
    copy.mkdir()
    check_sync.export(tmp_path, copy)
    shutil.copytree(copy / LIB, tmp_path / LIB, dirs_exist_ok=True)
    shutil.copytree(copy / "nbs", tmp_path / "nbs", dirs_exist_ok=True)
    shutil.rmtree(copy)
    return tmp_path


def only(found: list[str], *words: str) -> None:
    "Exactly one problem, and it says these words."
    assert len(found) == 1, found
    assert all(word in found[0] for word in words), found[0]


# sync

def test_sync_of_a_clean_project(project):
    assert check_sync.problems(project) == []


def test_sync_notices_an_edit_by_hand(project):
    with open(project / LIB / "core.py", "a") as file:
        file.write("\n# a little fix\n")
    only(check_sync.problems(project), "core.py", "not what its notebook exports")


def test_sync_notices_a_forgotten_export(project):
    write_notebook(project / "nbs" / "00_core.ipynb", "#| default_exp core", "#| export\ndef one(): return 2")
    assert any("core.py" in line and "not what" in line for line in check_sync.problems(project))


def test_sync_notices_an_orphan(project):
    (project / "nbs" / "02_registry.ipynb").unlink()
    found = check_sync.problems(project)
    assert any("utils/registry.py" in line and "no notebook exports it" in line for line in found), found


def test_sync_notices_a_missing_module(project):
    (project / LIB / "core.py").unlink()
    only(check_sync.problems(project), "core.py", "missing")


def test_sync_notices_an_unclean_notebook(project):
    path = project / "nbs" / "00_core.ipynb"
    nb = json.loads(path.read_text())
    nb["cells"][1]["execution_count"] = 7
    nb["cells"][1]["metadata"] = {"collapsed": True}
    path.write_text(json.dumps(nb, indent=1))
    only(check_sync.problems(project), "00_core.ipynb", "not clean")


def test_sync_tells_what_an_export_fails_at(project):
    write_notebook(project / "nbs" / "90_faces.ipynb", "#| export utils.gone\nx = 1")
    only(check_sync.problems(project), "nbdev_export failed", "gone.py does not exist")


def test_sync_keeps_the_parameters_tag(project):
    path = project / "nbs" / "02_registry.ipynb"
    nb = json.loads(path.read_text())
    nb["cells"][1]["metadata"] = {"tags": ["parameters"]}
    path.write_text(json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    assert check_sync.problems(project) == []


# imports

@pytest.mark.parametrize("module, line, words", [
    ("core", f"from {LIB}.utils.registry import x", ["core imports utils.registry (room 02)", "room 00 imports only lower numbers"]),
    ("core", "from .utils.registry import x", ["lower numbers"]),
    ("core", "def f():\n    from .utils import registry", ["lower numbers"]),
    ("config", f"import {LIB}.utils.registry", ["do not know each other"]),
    ("config", "import torch", ["torch", "must load without it"]),
    ("utils.registry", "try:\n    import numpy\nexcept ImportError:\n    numpy = None", ["numpy", "must load without it"]),
    ("data.scenes", f"from {LIB}.encoders.vision import x", ["do not know each other"]),
    ("encoders.vision", "from ..data.scenes import x", ["do not know each other"]),
    ("encoders.vision", "from ..models.losses import x", ["do not know each other"]),
    ("models.losses", "from ..encoders.vision import x", ["do not know each other"]),
    ("decoders.qwen", "from ..encoders.vision import x", ["do not know each other"]),
    ("training.trainer", "from ..encoders.vision import x", ["do not know each other"]),
    ("training.trainer", "from ..models.alignment import x", ["do not know each other"]),
    ("training.trainer", "from ..evaluation.retrieval import x", ["do not know each other"]),
    ("core", "from nbs.experiments import x", ["never imports experiments"]),
    ("core", "import experiments.sweep", ["never imports experiments"]),
    ("core", "from .gone import x", ["not there"]),
    ("core", "import pandas", ["pandas", "settings.ini does not require"]),
    ("core", "def f(:", ["not Python"]),
])
def test_imports_notice(tmp_path, module, line, words):
    only(check_imports.problems(house(tmp_path, **{module: line})), *words)


def test_imports_allow_what_they_should(tmp_path):
    assert check_imports.problems(house(tmp_path, **{
        "utils.registry": f"from {LIB}.core import x\ndef f():\n    import torch", "encoders.vision": "from .perceiver import x", "decoders.qwen": "from ..encoders.mrl import x",
        "models.alignment": "from ..encoders.vision import x\nfrom .losses import y\nimport torch", "training.trainer": "from ..models.losses import x\nfrom ..data.scenes import y",
        "core": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .models.alignment import x\nimport yaml\nfrom PIL import Image"})) == []


def test_config_may_not_become_heavy_through_another_module(tmp_path):
    only(check_imports.problems(house(tmp_path, **{"": "from .core import x", "core": "import torch"})), "core.py:1", "torch", "must load without it")


def test_registry_may_not_become_heavy_through_the_face_of_its_package(tmp_path):
    root = house(tmp_path, core="import torch")
    (root / LIB / "utils" / "__init__.py").write_text("from ..core import x")
    only(check_imports.problems(root), "core.py:1", "torch", "must load without it")


def house(root: Path, **source: str) -> Path:
    "A package with a room of every kind; `source` gives the content of some."
    numbers = {"core": 0, "config": 1, "utils.registry": 2, "data.scenes": 12, "encoders.perceiver": 20, "encoders.mrl": 21, "encoders.vision": 23, "models.losses": 32,
               "decoders.qwen": 41, "models.alignment": 50, "evaluation.retrieval": 60, "training.trainer": 71}
    shutil.copy(ROOT / "settings.ini", root)
    for name, number in numbers.items():
        write_notebook(root / "nbs" / f"{number:02}_{name.split('.')[-1]}.ipynb", f"#| default_exp {name}")
        path = root / LIB / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(source.get(name, ""))
    (root / LIB / "__init__.py").write_text(source.get("", ""))
    return root


# versions

def test_constraints_suit_the_oldest_python():
    "A pinned version that asks for a newer Python breaks the install there, and nowhere else."
    oldest = check_sync.setting(ROOT, "min_python") + ".0"
    pinned = [line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    asks = {name: metadata.metadata(name)["Requires-Python"] for name in pinned if installed(name)}
    assert len(asks) > 50
    assert [f"{name} {needs}" for name, needs in asks.items() if needs and not SpecifierSet(needs).contains(oldest)] == []


def test_every_requirement_is_pinned():
    words = " ".join(check_sync.setting(ROOT, key) for key in ("requirements", "dev_requirements")).split()
    name = lambda word: re.split(r"[<>=!~]", word)[0].lower().replace("_", "-")
    pinned = {name(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert {name(word) for word in words} - pinned == set()


def installed(name: str) -> bool:
    "Whether this environment holds the package."
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


# repository

def test_repository_of_a_clean_project(project):
    assert check_repo.problems(project) == ([], [])


@pytest.mark.parametrize("name, content, word", [
    ("notes.md", "look into /work/main for it", "path of one machine"),
    ("notes.md", "cached in /home/ada/models", "path of one machine"),
    ("notes.md", "written to /tmp/tmp8fk2a", "temporary path"),
    ("notes.md", "from https://pypi.org/simple", "package registry"),
    ("notes.md", "closes issue #12", "number of an issue"),
    ("best/model.safetensors", "x", "weights"),
    ("big.txt", "x" * 2_000_001, "2 MB"),
])
def test_repository_notices(project, name, content, word):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text(content)
    only(check_repo.problems(project)[0], name, word)


def test_repository_notices_a_broken_link(project):
    (project / "configs").symlink_to("nowhere")
    only(check_repo.problems(project)[0], "configs", "link to nothing")


def test_repository_reads_notebooks(project):
    error = new_output("error", ename="ValueError", evalue="x", traceback=[])
    write_notebook(project / "nbs" / "03_a.ipynb", "1 / 0", outputs=[error])
    write_notebook(project / "nbs" / "04_b.ipynb", "a = 1", "b = 2", "a + b")
    write_notebook(project / "nbs" / "05_c.ipynb", "1", outputs=[new_output("stream", text="10%|# | 1/10\r20%|## | 2/10")])
    write_notebook(project / "nbs" / "06_d.ipynb", "1", outputs=[new_output("stream", text="x" * 150_001)])
    write_notebook(project / "nbs" / "07_e.ipynb", "1", title="# page\n> Text.\n\nAn introduction.")
    write_notebook(project / "nbs" / "08_f.ipynb", "#| export\nimport os\na = 1", "import os\nimport sys", "import os\nos.sep", outputs=[new_output("stream", text="x")])
    write_notebook(project / "nbs" / "09_g.ipynb", "#| export\nimport os\na = 1", "import os", "os.sep", outputs=[new_output("stream", text="x")])
    bad, warn = check_repo.problems(project)
    assert [line.split(": ")[0][-10:] for line in bad] == ["03_a.ipynb", "04_b.ipynb", "05_c.ipynb", "07_e.ipynb", "08_f.ipynb"], bad
    assert "is an error" in bad[0] and "no outputs" in bad[1] and "progress bar" in bad[2] and "nbdev drops the rest" in bad[3] and "'os.sep'" in bad[4]
    only(warn, "06_d.ipynb", "KB")


def test_repository_does_not_look_at_what_git_ignores(project):
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    (project / ".gitignore").write_text("runs/\n")
    (project / "runs").mkdir()
    (project / "runs" / "model.safetensors").write_text("x")
    assert check_repo.problems(project)[0] == []


# readme

def test_readme_is_compared(project):
    write_notebook(project / "nbs" / "index.ipynb", "#| hide\nimport os", "#| echo: true\nprint(2)", outputs=[new_output("stream", text="2\n")])
    only(make_readme.problems(project), "README.md")
    for path, data in make_readme.readme(project).items():
        path.write_bytes(data)
    assert make_readme.problems(project) == []
    text = (project / "README.md").read_text()
    assert "print(2)" in text and "    2\n" in text and "import os" not in text and "#|" not in text
    (project / "README.md").write_text(text + "by hand\n")
    only(make_readme.problems(project), "README.md")


def test_readme_writes_figures(project):
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    write_notebook(project / "nbs" / "index.ipynb", "figure()", outputs=[new_output("display_data", {"image/png": pixel})])
    files = make_readme.readme(project)
    figure, = [path for path in files if path.suffix == ".png"]
    assert figure.parent == project / "nbs" / "images"
    assert f"](nbs/images/{figure.name})" in files[project / "README.md"].decode()


# speed

def test_speed_notices_a_slow_and_a_failing_command():
    found = check_speed.problems({"slow": [sys.executable, "-c", "import time; time.sleep(0.2)"], "gone": ["edge-glass-that-is-not-there"],
                                  "failing": [sys.executable, "-c", "raise SystemExit(3)"]}, limit=0.1)
    assert [line.split(":")[0] for line in found] == ["slow", "gone", "failing"]


# tools/nb

def test_nb_open_save_check(tmp_path):
    (tmp_path / "tools").mkdir()
    for name in ("nb", "export_notebook.py"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools")
    shutil.copy(ROOT / "settings.ini", tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    nb = lambda *words: subprocess.run(["tools/nb", *words], cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert nb("open", "nbs/00_core.ipynb").returncode == 0
    script = tmp_path / ".nbtext" / "00_core.py"
    script.write_text("# ---\n# jupyter:\n#   kernelspec:\n#     display_name: python3\n#     language: python\n#     name: python3\n# ---\n\n"
                      "# %% [markdown]\n# # core\n\n# %%\n#| default_exp core\n\n# %%\n#| export\ndef one(): return 1\n\n# %% tags=[\"parameters\"]\nn = 41\n\n# %%\none() + n\n")
    ids = []
    for result in ("42", "43"):
        assert nb("save", "nbs/00_core.ipynb").returncode == 0
        done = nb("check", "nbs/00_core.ipynb")
        assert done.returncode == 0, done.stderr
        page = json.loads((tmp_path / "nbs" / "00_core.ipynb").read_text())
        assert page["cells"][-1]["outputs"][0]["data"]["text/plain"] == [result]
        assert page["cells"][3]["metadata"] == {"tags": ["parameters"]}
        ids.append([cell["id"] for cell in page["cells"]])
        assert nb("open", "nbs/00_core.ipynb").returncode == 0
        script.write_text(script.read_text().replace("n = 41", "n = 42"))
    assert ids[0] == ids[1]  # the exported module quotes them
    assert "def one()" in (tmp_path / LIB / "core.py").read_text()
    assert sorted(p.name for p in (tmp_path / "nbs").iterdir()) == ["00_core.ipynb"]
    for words in (("check", "elsewhere.ipynb"), ("open",), ("shut", "nbs/00_core.ipynb")):
        assert nb(*words).returncode == 2


# tools/fill_outputs.py

def test_fill_outputs(tmp_path):
    page = tmp_path / "page.ipynb"
    write_notebook(page, "n = 1\nrate = 1.0", "import sys\nprint('progress', file=sys.stderr)\nprint(n, rate)", outputs=[new_output("stream", name="stdout", text="1 1.0\n")])
    notebook = json.loads(page.read_text())
    notebook["cells"][1]["metadata"]["tags"] = ["parameters"]
    page.write_text(json.dumps(notebook))
    fill = lambda *words: subprocess.run([sys.executable, "tools/fill_outputs.py", str(page), *words], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    done = fill("n=3", "rate=1e-4")
    assert done.returncode == 0, done.stderr
    cells = json.loads(page.read_text())["cells"]
    assert ["".join(c["source"]) for c in cells] == ["".join(c["source"]) for c in notebook["cells"]]
    assert cells[1]["metadata"]["tags"] == ["parameters"] and ["".join(o["text"]) for o in cells[-1]["outputs"]] == ["3 0.0001\n"]
    before = page.read_text()
    for words, told in ((["m=3"], "has no parameter 'm'"), (["n=three"], "give a value of that type")):
        wrong = fill(*words)
        assert wrong.returncode != 0 and told in wrong.stderr and "Traceback" not in wrong.stderr, wrong.stderr
    assert fill("n=3", "rate=1e-4").returncode == 0 and page.read_text() == before
    notebook["cells"].append(new_code_cell("raise OSError('late')"))
    page.write_text(json.dumps(notebook))
    failed = fill("n=7")
    kept = Path(failed.stderr.split("what was computed is in ")[1].strip(), "page.ipynb").read_text()
    assert failed.returncode == 1 and "late" in failed.stderr and "7 1.0" in kept and json.loads(page.read_text()) == notebook
