"""`check_wheel` is shown a release with something wrong, and has to notice."""
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import check_wheel  # noqa: E402
from check_wheel import LIB  # noqa: E402

PACKAGE = [f"{LIB}/__init__.py", f"{LIB}/configs/quickstart.yaml", f"{LIB}/data/assets/words/index.json"]
INFO = [f"{LIB}-1.2.0.dist-info/{name}" for name in ("METADATA", "entry_points.txt", "licenses/LICENSE")]
SOURCE = ["setup.py", "settings.ini", "README.md", "LICENSE", "CITATION.bib", "CHANGELOG.md"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    "A repository of three files that belong into the package, and texts that name its version."
    texts = {"settings.ini": "[DEFAULT]\nversion = 1.2.0\n", f"{LIB}/__init__.py": '__version__ = "1.2.0"\n', "CITATION.bib": "version = {1.2.0},\n", "README.md": "version = {1.2.0},\n",
             "CHANGELOG.md": "# Changelog\n\n## 1.2.0 (unreleased)\n\n## 1.1.0\n"}
    for name in [*PACKAGE, *SOURCE, "nbs/00_core.ipynb"]:
        (tmp_path / "repo" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repo" / name).write_text(texts.get(name, ""))
    return tmp_path / "repo"


def release(folder: Path, wheel: list[str], sdist: list[str], version: str = "1.2.0") -> tuple[Path, Path]:
    "A source distribution and a wheel with these files."
    paths = folder / f"{LIB}-{version}.tar.gz", folder / f"{LIB}-{version}-py3-none-any.whl"
    with tarfile.open(paths[0], "w:gz") as archive:
        for name in sdist: archive.addfile(tarfile.TarInfo(f"{LIB}-{version}/{name}"), io.BytesIO())
    with zipfile.ZipFile(paths[1], "w") as archive:
        for name in wheel: archive.writestr(name, "")
    return paths


def only(found: list[str], *words: str) -> None:
    "Exactly one problem, and it says these words."
    assert len(found) == 1, found
    assert all(word in found[0] for word in words), found[0]


def test_a_whole_release(project, tmp_path):
    assert check_wheel.problems(*release(tmp_path, PACKAGE + INFO, PACKAGE + SOURCE), project) == []
    assert check_wheel.versions(project) == []


@pytest.mark.parametrize("lost", [*PACKAGE, *INFO[1:]])
def test_a_file_that_the_wheel_lacks(project, tmp_path, lost):
    only(check_wheel.problems(*release(tmp_path, [n for n in PACKAGE + INFO if n != lost], PACKAGE + SOURCE), project), "lacks", lost.rpartition("/")[2])


@pytest.mark.parametrize("lost", [PACKAGE[1], *SOURCE[:4]])
def test_a_file_that_the_source_lacks(project, tmp_path, lost):
    only(check_wheel.problems(*release(tmp_path, PACKAGE + INFO, [n for n in PACKAGE + SOURCE if n != lost]), project), ".tar.gz lacks", lost)


def test_a_file_that_does_not_belong_into_the_wheel(project, tmp_path):
    only(check_wheel.problems(*release(tmp_path, [*PACKAGE, *INFO, "nbs/00_core.ipynb"], PACKAGE + SOURCE), project), "should not hold nbs/00_core.ipynb")


def test_a_wheel_of_another_version(project, tmp_path):
    assert any("is not version" in line for line in check_wheel.problems(*release(tmp_path, PACKAGE + INFO, PACKAGE + SOURCE, "1.1.0"), project))


@pytest.mark.parametrize("name", [f"{LIB}/__init__.py", "CITATION.bib", "README.md", "CHANGELOG.md"])
def test_a_file_that_names_another_version(project, name):
    (project / name).write_text((project / name).read_text().replace("1.2.0", "1.1.0"))
    only(check_wheel.versions(project), name, "1.1.0")


def test_a_command_that_fails_carries_its_last_words():
    with pytest.raises(RuntimeError, match="ended with 3: no luck"):
        check_wheel.run([sys.executable, "-c", "import sys; print('no luck'); sys.exit(3)"])


def test_what_was_found_is_told_where_the_installation_fails(project, tmp_path, monkeypatch):
    made = release(tmp_path, [n for n in PACKAGE + INFO if n != PACKAGE[1]], PACKAGE + SOURCE)
    (project / "README.md").write_text("version = {1.1.0},\n")
    monkeypatch.setattr(check_wheel, "build", lambda root, out: made)
    monkeypatch.setattr(check_wheel, "install", lambda *_: check_wheel.run([sys.executable, "-c", "import sys; sys.exit('no installation')"]))
    found = check_wheel.check(project, tmp_path, clean=False)
    assert [word in line for word, line in zip(["README.md names version", f"lacks {PACKAGE[1]}", "no installation"], found, strict=True)] == [True] * 3


def test_an_installation_that_is_not_the_one_imported(tmp_path):
    python = tmp_path / "venv" / "bin" / "python"  # one that finds the package elsewhere, and a command that always fails
    python.parent.mkdir(parents=True)
    python.with_name("edge-glass").write_text("#!/bin/sh\nexit 4\n")
    python.with_name("edge-glass").chmod(0o755)
    (tmp_path / "site" / LIB).mkdir(parents=True)
    (tmp_path / "site" / LIB / "__init__.py").write_text("")
    python.write_text(f"#!/bin/sh\nPYTHONPATH={tmp_path / 'site'} exec {sys.executable} \"$@\"\n")
    python.chmod(0o755)
    found = check_wheel.use(python.with_name("edge-glass"), tmp_path / "empty")
    assert "what was installed is not what is imported" in found[0]
    assert sum("ended with 4" in line for line in found) == len(check_wheel.USES)
    assert sum("the run left no" in line for line in found) == len(check_wheel.LEFT)
