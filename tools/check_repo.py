"""Check what is committed: `python tools/check_repo.py`.

Notebooks carry their outputs and no errors, files are small, no weights, no paths of somebody's machine, no names of package registries, no broken links.
"""
import ast
import json
import re
import subprocess
import sys
from pathlib import Path

MAX_FILE = 2_000_000     # bytes
ROOMY_NOTEBOOK = 150_000  # bytes; above, a warning
WEIGHTS = {".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".gguf", ".onnx", ".npz"}
BINARY = {".flac", ".ogg", ".wav", ".png", ".jpg", ".gz"}
FORBIDDEN = {
    "a path of one machine": r"(?<![\w./~-])/(work|root|home/\w+|Users/\w+)/",
    "a temporary path": r"/tmp/(?!\.)[\w-]*\d\w*",
    "the host of a package registry": r"\b(pypi\.org|pythonhosted\.org|npmjs\.(org|com)|deb\.debian\.org)",
    "the number of an issue": r"(?i)\bissue\s+#?\d",
}
EXPORT = re.compile(r"^#\|\s*export", re.M)
NOT_RUN = re.compile(r"^#\|\s*(eval:\s*false|gpu|slow|hub)", re.M)


def tracked(root: Path) -> list[Path]:
    "Files that are committed, or would be by `git add .`; of a plain folder all files."
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True)
    names = done.stdout.split("\0") if not done.returncode else [str(p.relative_to(root)) for p in root.rglob("*")]
    return [root / name for name in sorted(set(names)) if name and ((root / name).is_file() or (root / name).is_symlink())]


def mixes_imports(source: str) -> bool:
    "Whether a cell imports and does something else as well."
    try:
        tree = ast.parse(re.sub(r"^[%!]", "#", source, flags=re.M))
    except SyntaxError:
        return False
    return any(isinstance(node, ast.stmt) and not isinstance(node, (ast.Import, ast.ImportFrom)) for node in tree.body) \
        and any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(tree))


def notebook(path: Path) -> tuple[list[str], list[str]]:
    "Problems and warnings of one notebook."
    page = json.loads(path.read_text(encoding="utf-8"))["cells"]
    cells = [c for c in page if c["cell_type"] == "code"]
    outputs = [o for c in cells for o in c["outputs"]]
    run = [c for c in cells if (text := "".join(c["source"]).strip()) and not NOT_RUN.search(text)]
    bad = ["an output is an error; mend it and execute again"] if any(o["output_type"] == "error" for o in outputs) else []
    if len(run) > 2 and not outputs:
        bad.append("carries no outputs; execute it (tools/nb check)")
    title = next(("".join(c["source"]) for c in page if c["cell_type"] == "markdown"), "")
    if title and not re.fullmatch(r"# .+(\n> .+)?\n?", title):
        bad.append("its first cell holds more than '# Title' and '> subtitle'; nbdev drops the rest from the site: move it to a cell of its own")
    sources = ["".join(c["source"]) for c in cells]
    if any(map(EXPORT.search, sources)) and (mixed := [s for s in sources if not EXPORT.search(s) and mixes_imports(s)]):
        bad.append(f"a cell imports and does more, and nbdev_docs executes it without those above it; give {mixed[0].splitlines()[-1]!r} a cell without imports")
    if any("\r" in "".join(o.get("text", "")) or "it/s]" in "".join(o.get("text", "")) for o in outputs):
        bad.append("an output is a progress bar; switch it off in that cell")
    size = path.stat().st_size
    return bad, [f"{size // 1000} KB; smaller figures would do"] if size > ROOMY_NOTEBOOK else []


def words(path: Path) -> list[str]:
    "Forbidden words of one text file, with their line."
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return [] if path.suffix in BINARY else ["not UTF-8 text"]
    text = re.sub(r'"image/png": "[^"]*"', '""', text)
    return [f"line {text.count(chr(10), 0, m.start()) + 1} names {what}: {m[0]!r}" for what, pattern in FORBIDDEN.items() for m in re.finditer(pattern, text)]


def problems(root: Path) -> tuple[list[str], list[str]]:
    "Problems and warnings, one line each."
    bad, warn = [], []
    for path in tracked(root):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            bad += [] if path.exists() else [f"{name}: a link to nothing"]
            continue
        if path.stat().st_size > MAX_FILE:
            bad.append(f"{name}: {path.stat().st_size / 1e6:.1f} MB; nothing above {MAX_FILE / 1e6:.0f} MB is committed")
        if path.suffix in WEIGHTS:
            bad.append(f"{name}: weights are fetched, never committed")
        if path.resolve() != Path(__file__).resolve() and name not in ("tools/check_repo.py", "tools/test_tools.py"):
            bad += [f"{name}: {line}" for line in words(path)]
        if path.suffix == ".ipynb":
            worse, larger = notebook(path)
            bad += [f"{name}: {line}" for line in worse]
            warn += [f"{name}: {line}" for line in larger]
    return bad, warn


if __name__ == "__main__":
    bad, warn = problems(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join([*(f"warning: {line}" for line in warn), *bad]) or "repository: nothing that should not be there")
    sys.exit(bool(bad))
