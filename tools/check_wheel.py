"""Check what is released: `python tools/check_wheel.py`.

Builds the source distribution and, from it, the wheel. The wheel must hold every file of the package and nothing else. Then it is installed into a fresh virtual environment
and used from an empty folder: help, a config, a tiny run. The packages that it needs are borrowed from this Python; with `--clean` pip fetches them, as on a user's machine.
"""
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import zipfile
from configparser import ConfigParser
from pathlib import Path

from check_repo import tracked

LIB = "edge_glass_modular"
USES = [["--help"], ["config", "show", "quickstart"], ["train", "quickstart", "--tiny", "--device", "cpu"], ["evaluate", "runs/quickstart-tiny", "--device", "cpu"]]
LEFT = ["config.yaml", "metrics.jsonl", "curves.png", "retrieval.json", "best/model.safetensors", "best/README.md"]  # by the tiny run


def run(command: list, **more) -> str:
    "Output of a command; one that fails is an error that carries its last words."
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}: " + "\n".join((done.stdout + done.stderr).splitlines()[-8:]))
    return done.stdout


def build(root: Path, out: Path) -> tuple[Path, Path]:
    "Source distribution and wheel of a copy of the repository, so that nothing is left in it."
    copy = out / "source"
    for path in tracked(root):
        target = copy / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)
    run([sys.executable, "-m", "build", "--outdir", out / "dist", copy])
    return next((out / "dist").glob("*.tar.gz")), next((out / "dist").glob("*.whl"))


def problems(sdist: Path, wheel: Path, root: Path) -> list[str]:
    "One line for whatever is missing or should not be there."
    ini = ConfigParser(delimiters=["="])
    ini.read(root / "settings.ini", encoding="utf-8")
    stem = f"{LIB}-{ini['DEFAULT']['version']}"
    package = {path.relative_to(root).as_posix() for path in tracked(root) if path.relative_to(root).parts[0] == LIB}
    with zipfile.ZipFile(wheel) as archive: held = set(archive.namelist())
    with tarfile.open(sdist) as archive: source = {name.partition("/")[2] for name in archive.getnames()}
    found = [f"{wheel.name} is not version {stem}"] if not wheel.name.startswith(stem) else []
    found += [f"{wheel.name} lacks {name}" for name in sorted(package - held)]
    found += [f"{wheel.name} should not hold {name}" for name in sorted(held - package) if not name.startswith(f"{stem}.dist-info/")]
    found += [f"{wheel.name} lacks its {name}" for name in ("LICENSE", "entry_points.txt") if not any(h.startswith(f"{stem}.dist-info/") and h.endswith(name) for h in held)]
    return found + [f"{sdist.name} lacks {name}" for name in sorted(package | {"setup.py", "settings.ini", "README.md", "LICENSE"}) if name not in source]


def versions(root: Path) -> list[str]:
    "One line for every file that names another version than settings.ini."
    told = {"settings.ini": r"^version = (\S+)", f"{LIB}/__init__.py": r'__version__ = "(.+)"', "CITATION.bib": r"version = \{(.+?)\}", "README.md": r"version = \{(.+?)\}", "CHANGELOG.md": r"^## (\S+)"}
    found = {name: (re.search(pattern, (root / name).read_text(encoding="utf-8"), re.M) or [None, None])[1] for name, pattern in told.items()}
    return [f"{name} names version {version}, settings.ini {found['settings.ini']}" for name, version in found.items() if version != found["settings.ini"]]


def install(wheel: Path, folder: Path, clean: bool) -> Path:
    "The `edge-glass` of a new virtual environment."
    run([sys.executable, "-m", "venv", folder])
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if clean:
        run([python, "-m", "pip", "install", "--quiet", "-c", Path(__file__).parent.parent / "constraints.txt", wheel])
    else:
        run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel])
        site = Path(run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.with_name("edge-glass")


def use(command: Path, folder: Path) -> list[str]:
    "Run the command from an empty folder, with an empty home; what went wrong."
    folder.mkdir()
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")} | {"EDGE_GLASS_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    where = run([command.with_name("python"), "-c", f"import {LIB}; print({LIB}.__file__)"], cwd=folder, env=env).strip()
    found = [] if Path(where).is_relative_to(command.parent.parent) else [f"what was installed is not what is imported: {where}"]
    for words in USES:
        start = time.perf_counter()
        try: run([command, *words], cwd=folder, env=env)
        except RuntimeError as error: found.append(str(error))
        print(f"edge-glass {' '.join(words)}: {time.perf_counter() - start:.1f} s")
    return found + [f"the run left no {name}" for name in LEFT if not (folder / "runs" / "quickstart-tiny" / name).exists()]


def check(root: Path, out: Path, clean: bool) -> list[str]:
    "Build, compare, install, use: all that is wrong, as far as one comes."
    bad, start = versions(root), time.perf_counter()
    try:
        sdist, wheel = build(root, out)
        print(f"built {sdist.name} ({sdist.stat().st_size / 1e6:.1f} MB) and {wheel.name} ({wheel.stat().st_size / 1e6:.1f} MB) in {time.perf_counter() - start:.1f} s")
        bad += problems(sdist, wheel, root)
        start = time.perf_counter()
        command = install(wheel, out / "venv", clean)
        print(f"installed in {time.perf_counter() - start:.1f} s")
        bad += use(command, out / "elsewhere")
    except RuntimeError as error: bad.append(str(error))
    return bad


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temp: bad = check(Path(__file__).resolve().parent.parent, Path(temp), "--clean" in sys.argv)
    print("\n".join(bad) or "wheel: holds the package, and works where nothing else is")
    sys.exit(bool(bad))
