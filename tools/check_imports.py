"""Check who may import whom: `python tools/check_imports.py`.

Rooms are numbered by their notebooks and a room imports only lower numbers. A few rooms are held apart altogether, so that one can be changed without the
other; see RULES. Imports inside functions count. Nothing is imported to find out: the modules are parsed.
"""
import ast
import json
import re
import sys
from configparser import ConfigParser
from pathlib import Path

LIB = "edge_glass_modular"
SHARED = {"encoders.perceiver", "encoders.mrl"}  # layers that several rooms are built from
RULES = [  # (who, may not import, except)
    (r"config$", r"utils(\.|$)", set()),
    (r"data(\.|$)", r"(encoders|decoders)(\.|$)|models\.losses$", set()),
    (r"encoders(\.|$)", r"(data|decoders)(\.|$)|models\.losses$", set()),
    (r"models\.losses$", r"(data|encoders|decoders)(\.|$)", SHARED),
    (r"models\.fusion$", r"(data|encoders|decoders)(\.|$)|models\.losses$", SHARED),
    (r"decoders(\.|$)", r"(data|encoders)(\.|$)|models\.losses$", SHARED),
    (r"training(\.|$)", r"(encoders|decoders|evaluation)(\.|$)|models\.(?!losses$)|models$", set()),
]
DISTRIBUTION = {"PIL": "pillow", "yaml": "pyyaml", "faiss": "faiss-cpu"}  # where the name one imports is not the name one installs
LIGHT = ["", "config", "utils.registry", "cli"]  # these, and all that they import on loading, must do without
HEAVY = {"torch", "transformers", "numpy", "matplotlib"}


def rooms(root: Path) -> dict[str, int]:
    "module -> number of its notebook"
    found = {}
    for path in sorted((root / "nbs").glob("[0-9]*_*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if match := re.search(r"^#\|\s*default_exp\s+(\S+)", "".join(cell["source"]), re.M):
                found[match[1].removesuffix(".__init__")] = int(path.name.split("_")[0])
    return found


def module_name(path: Path, lib: Path) -> str:
    "`data.scenes` for data/scenes.py, `data` for data/__init__.py, '' for the package itself"
    parts = path.relative_to(lib).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, lib: Path, modules: set[str], loading: bool = False) -> list[tuple[int, str]]:
    """(line, what is imported): a module of the library without its prefix, or the top-level name of a foreign package after a colon.

    With `loading` only what happens when the module is loaded, not what its functions import.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {id(n) for test in ast.walk(tree) if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.unparse(test.test) for n in ast.walk(test)}
    later = {id(n) for f in ast.walk(tree) if loading and isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) for n in ast.walk(f)}
    package = (LIB, *path.relative_to(lib).parent.parts)
    found = []
    for node in ast.walk(tree):
        if id(node) in typing | later:
            continue
        if isinstance(node, ast.Import):
            full = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*(package[:len(package) - node.level + 1] if node.level else ()), *([node.module] if node.module else [])])
            full = [base if f"{base}.{a.name}".removeprefix(LIB + ".") not in modules else f"{base}.{a.name}" for a in node.names]
        else:
            continue
        for name in dict.fromkeys(full):
            inside = name == LIB or name.startswith(LIB + ".")
            found.append((node.lineno, name[len(LIB) + 1:] if inside else ":" + name.split(".")[0]))
    return found


def verdict(name: str, target: str, number: dict[str, int], modules: set[str]) -> str | None:
    "What is wrong with `name` importing `target`, if anything."
    if target.startswith(":"):
        return f"{target[1:]}; the library never imports experiments" if target in (":experiments", ":nbs") else None
    if target not in modules:
        return f"{LIB}.{target}, which is not there"
    for who, whom, allowed in RULES:
        if re.match(who, name) and re.match(whom, target) and target not in allowed:
            return f"{target}; these two rooms do not know each other"
    if target != name and number.get(target, -1) >= number.get(name, 100):
        return f"{target} (room {number[target]:02}); room {number[name]:02} imports only lower numbers"
    return None


def problems(root: Path) -> list[str]:
    "One line for every import that breaks a rule."
    lib, number, found = root / LIB, rooms(root), []
    files = {module_name(p, lib): p for p in sorted(lib.rglob("*.py")) if p.name != "_modidx.py"}
    graph = {}
    for name, path in files.items():
        try:
            graph[name] = imports(path, lib, set(files))
        except SyntaxError as error:
            found.append(f"{path.relative_to(root)}:{error.lineno}: not Python {sys.version_info[0]}.{sys.version_info[1]}: {error.msg}")
    for name, targets in graph.items():
        for line, target in targets:
            if reason := verdict(name, target, number, set(files)):
                found.append(f"{files[name].relative_to(root)}:{line}: {name or LIB} imports {reason}")
    return found + light(files, root) + undeclared(graph, files, root)


def undeclared(graph: dict, files: dict[str, Path], root: Path) -> list[str]:
    "Foreign packages that settings.ini does not ask for: a fresh install would lack them."
    ini = ConfigParser(delimiters=["="])
    ini.read(root / "settings.ini", encoding="utf-8")
    asked = " ".join(text for key, text in ini["DEFAULT"].items() if key.endswith("requirements") and key != "dev_requirements")
    have = {re.split(r"[<>=!~;\[]", word)[0].lower().replace("_", "-") for word in asked.split()}
    return [f"{files[name].relative_to(root)}:{line}: {name} imports {target[1:]}, which settings.ini does not require"
            for name, targets in graph.items() for line, target in targets
            if target.startswith(":") and target[1:] not in sys.stdlib_module_names | {"nbs", "experiments"}
            and DISTRIBUTION.get(target[1:], target[1:]).lower().replace("_", "-") not in have]


def light(files: dict[str, Path], root: Path) -> list[str]:
    "Whether a module that must load at once would load something heavy, by itself or through another module of the library."
    found, seen, todo = [], set(), list(LIGHT)
    while todo:
        if (name := todo.pop()) in seen or name not in files:
            continue
        seen.add(name)
        todo.append(name.rpartition(".")[0])  # loading a.b loads a
        try:
            targets = imports(files[name], root / LIB, set(files), loading=True)
        except SyntaxError:
            continue
        for line, target in targets:
            if target.startswith(":") and target[1:] in HEAVY:
                found.append(f"{files[name].relative_to(root)}:{line}: {name or LIB} imports {target[1:]}, and {', '.join(LIGHT[1:])} must load without it")
            elif not target.startswith(":"):
                todo.append(target)
    return found


if __name__ == "__main__":
    bad = problems(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(bad) or "imports: every room imports only what it may")
    sys.exit(bool(bad))
