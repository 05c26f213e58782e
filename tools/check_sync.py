"""Check that the modules are what the notebooks export: `python tools/check_sync.py`.

Exports every notebook into a clean folder and compares. Catches a module that was edited by hand, one whose notebook is gone, an export that was forgotten, and a
notebook that was not cleaned. Nothing in the repository is changed.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from pathlib import Path

REMEDY = "run nbdev_export"


def setting(root: Path, name: str) -> str:
    "One entry of settings.ini."
    ini = ConfigParser(delimiters=["="])
    ini.read(root / "settings.ini", encoding="utf-8")
    return ini["DEFAULT"][name]


def export(root: Path, into: Path) -> None:
    "Copy the notebooks, export and clean them."
    skip = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__", "_proc", "kernel-*")
    shutil.copytree(root / "nbs", into / "nbs", symlinks=True, ignore=skip)
    shutil.copy(root / "settings.ini", into)
    env = {k: v for k, v in os.environ.items() if k != "IN_TEST"}
    for command in ("export", "clean"):
        code = f"from nbdev.{'doclinks' if command == 'export' else 'clean'} import nbdev_{command} as f; f.__wrapped__()"
        done = subprocess.run([sys.executable, "-c", code], cwd=into, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise ValueError(f"nbdev_{command} failed: {done.stderr.strip().splitlines()[-1].replace(str(into) + '/', '')}")


def modules(folder: Path) -> dict[str, bytes]:
    "Python files of a package."
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*.py")) if "__pycache__" not in p.parts}


def problems(root: Path) -> list[str]:
    "One line for every module or notebook that is out of step."
    lib, found = setting(root, "lib_name"), []
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder).resolve()
        try:
            export(root, clean)
        except ValueError as error:
            return [str(error)]
        have, want = modules(root / lib), modules(clean / lib)
        for path in sorted(have.keys() | want.keys()):
            if path not in want:
                found.append(f"{lib}/{path}: no notebook exports it; delete it, or restore its notebook")
            elif path not in have:
                found.append(f"{lib}/{path}: missing; {REMEDY}")
            elif have[path] != want[path]:
                found.append(f"{lib}/{path}: not what its notebook exports; edit the notebook, never the module, and {REMEDY}")
        for path in sorted((clean / "nbs").rglob("*.ipynb")):
            relative = path.relative_to(clean)
            if path.read_bytes() != (root / relative).read_bytes():
                found.append(f"{relative.as_posix()}: not clean; run nbdev_clean")
    return found


if __name__ == "__main__":
    bad = problems(Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve())
    print("\n".join(bad) or "sync: every module is what its notebook exports")
    sys.exit(bool(bad))
