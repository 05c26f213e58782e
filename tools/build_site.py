"""Build the site from the notebooks: `tools/docs`.

nbdev turns the notebooks of nbs/ into pages with signatures (in _proc/), Quarto where it is installed, else smalldocs, makes HTML of them (in _docs/), from the same
_quarto.yml. Nothing is executed: outputs are those stored in the notebooks. The maths is shown by a copy of KaTeX inside the site, so that it works without a network.
"""
import base64
import hashlib
import importlib
import inspect
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import Annotated, get_args, get_origin

import nbdev.serve
import nbformat
import yaml
from nbdev import doclinks, processors
from nbdev.config import get_config
from nbdev.processors import FilterDefaults, _default_exp, _is_showdoc, exec_show_docs
from nbdev.quarto import refresh_quarto_yml

KATEX = "katex@0.19.1"
KATEX_SHA512 = "jG8uKntjSEcm2EpQOh0XturpPuuC9r3Sq5HLHdsFdWZT27E672SF19QEi+of0/YeOy15lDgRhKvr5614uRrEfA=="
KATEX_ONLINE = re.compile(r"https://cdn\.jsdelivr\.net/npm/katex@[\w.]+/dist")
ROOMS = ["Foundations", "Data", "Encoders", "Parts", "Decoders", "Models", "Evaluation", "Training", "Commands", "All together"]  # by the first digit
FOLDERS = {"guide": "Guide", "tutorials": "Tutorials", "experiments": "Experiments"}
FIRST = ["setup_and_running", "design", "methods", "limits", "start_in_five_minutes", "own_data", "own_encoder", "read_a_run", "one_gpu_to_many", "without_the_hub"]


# signatures

def line_of(symbol: str, file: str) -> int | None:
    "The line of a definition, whose name carries its module here; nbdev looks for the name alone."
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return doclinks._get_exps(file).get(symbol.removeprefix(module + "."))


if __name__ == "build_site":  # once in a process: a worker knows this file as the script, too
    doclinks._lineno, names_in = line_of, processors._def_names
    processors._def_names = lambda cell, shown: names_in(cell, shown)[::-1]  # of several definitions in a cell nbdev shows the last first


def plain_annotations(module) -> None:
    "Annotations as a signature shows them: of a command the type without its options, in quotes what the module imports only when it needs it."
    own = [f for v in vars(module).values() for f in (vars(v).values() if inspect.isclass(v) else [v])]
    for function in own:
        if not inspect.isfunction(function) or function.__module__ != module.__name__:
            continue
        for name, hint in function.__annotations__.items():
            if isinstance(hint, str):
                try:
                    hint = eval(hint, vars(module))
                except NameError:
                    hint = type(hint, (), {})
            function.__annotations__[name] = get_args(hint)[0] if get_origin(hint) is Annotated else hint


class show_docs_of_module(exec_show_docs):
    "Signatures from the module that the page exports; nbdev would execute the page's exported cells, and every cell with an import, for them."
    def begin(self):
        super().begin()
        if name := _default_exp(self.nb):
            module = importlib.import_module(f"{get_config().lib_name}.{name}".removesuffix(".__init__"))
            plain_annotations(module)
            self.k.user_ns.update({k: v for k, v in vars(module).items() if not k.startswith("__")})

    def __call__(self, cell):
        if cell.cell_type == "code" and cell.source and _is_showdoc(cell):
            self.k.cell(cell)
            if self.k.exc:
                raise ValueError(f"{Path(self.nb.path_).name}: {cell.source.splitlines()[-1]} failed: {self.k.exc}; run nbdev_export") from self.k.exc


class Pages(FilterDefaults):
    "nbdev's processing, with the signatures of the modules."
    def base_procs(self):
        return [show_docs_of_module if p is exec_show_docs else p for p in super().base_procs()]


def process(config) -> Path:
    "The folder of processed pages. What has not changed since the last build is kept; delete _proc/ to make all anew."
    processed = config.config_path / "_proc"
    for page in [p for p in processed.rglob("*") if p.is_file()]:  # nbdev goes by the time of the folder, which a build that failed has moved
        source = config.nbs_path / page.relative_to(processed)
        if not source.is_file() or source.stat().st_mtime > page.stat().st_mtime:
            page.unlink()
    nbdev.serve.FilterDefaults = Pages
    return nbdev.serve.proc_nbs(n_workers=min(4, os.cpu_count() or 1))


# navigation

def pages(nbs: Path) -> list[str]:
    "The notebooks in the order of the sidebar; hidden and private ones left out."
    found = [p.relative_to(nbs) for p in nbs.rglob("*.ipynb")]
    rank = {name: i for i, name in enumerate(FIRST)}
    return sorted((p.as_posix() for p in found if not any(part[0] in "._" for part in p.parts)), key=lambda n: (rank.get(Path(n).stem, len(rank)), n))


def sidebar(names: list[str]) -> list:
    "Home, the folders that one reads, the rooms by their first digit, the experiments; each in order of numbers."
    section = lambda title, match: [{"section": title, "contents": found}] if (found := [n for n in names if match(n)]) else []
    folder = {f: section(title, lambda n, f=f: n.startswith(f + "/")) for f, title in FOLDERS.items()}
    rooms = [part for digit, title in enumerate(ROOMS) for part in section(title, lambda n, d=digit: re.match(rf"{d}\d_", n))]
    known = {n for part in [*rooms, *(p for f in folder.values() for p in f)] for n in part["contents"]} | {"index.ipynb"}
    if lost := sorted(set(names) - known):
        raise ValueError(f"no section of the sidebar takes {lost}; number them like 20_perceiver.ipynb, or put them into one of {sorted(FOLDERS)}")
    return [{"text": "Home", "href": "index.ipynb"}, *folder["guide"], *folder["tutorials"], *rooms, *folder["experiments"]]


def write_sidebar(nbs: Path) -> None:
    "nbs/sidebar.yml, beside nbdev.yml that nbdev writes."
    site = {"website": {"sidebar": {"contents": sidebar(pages(nbs))}}}
    (nbs / "sidebar.yml").write_text(yaml.safe_dump(site, sort_keys=False), encoding="utf-8")


# pages to HTML

def html_name(name: str) -> str:
    "20_perceiver.ipynb -> perceiver.ipynb, as nbdev names the page; folders stay."
    path = PurePosixPath(name)
    return str(path.with_name(re.sub(r"^\d+[a-zA-Z0-9]*_", "", path.name)))


def own_lines(text: str) -> str:
    "Display formulas in paragraphs of their own: inside one, smalldocs takes a line that begins with + for a list."
    return re.sub(r"\n*^(\$\$.+?\$\$) *$\n*", r"\n\n\1\n\n", text, flags=re.M | re.S)


def renamed(text: str) -> str:
    "Links between notebooks, with the names of the pages."
    return re.sub(r"(?<=[(\"' ])([\w./-]+\.ipynb)(?=[)#\"'\n])", lambda m: html_name(m[1]), text)


def plain_site(processed: Path) -> Path:
    "A copy of the processed pages under the names of the pages: smalldocs does not read `output-file:`."
    site = processed / ".pages"
    shutil.rmtree(site, ignore_errors=True)
    for path in sorted(processed.rglob("*")):
        name = path.relative_to(processed).as_posix()
        if path.is_dir() or name.startswith("."):
            continue
        into = site / (html_name(name) if path.suffix == ".ipynb" else name)
        into.parent.mkdir(parents=True, exist_ok=True)
        if into.exists():
            raise ValueError(f"two notebooks make the page {into.relative_to(site)}: rename {name}")
        if path.suffix == ".ipynb":
            page = nbformat.read(path, as_version=4)
            for cell in page.cells:
                if cell.cell_type == "raw":
                    cell.source = re.sub(r"^output-file:.*\n", "", cell.source, flags=re.M)
                elif cell.cell_type == "markdown":
                    cell.source = own_lines(renamed(cell.source))
                for output in cell.get("outputs", []):
                    data = output.get("data", {})
                    data.update({mime: renamed(data[mime]) for mime in ("text/markdown", "text/html") if mime in data})
            nbformat.write(page, into)
        elif name == "sidebar.yml":
            into.write_text(renamed(path.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            shutil.copy(path, into)
    return site


def render(processed: Path, docs: str) -> Path:
    "The folder of HTML that Quarto, or else smalldocs, makes."
    if shutil.which("quarto"):
        subprocess.run(["quarto", "render", "--no-cache"], cwd=processed, check=True)
        return processed / docs
    from smalldocs.site import build
    warnings = [w for w in build(plain_site(processed), quiet=True).warnings if "html-math-method" not in w]  # smalldocs knows only KaTeX
    print(*(f"warning: {w}" for w in warnings), sep="\n", end="\n" if warnings else "")  # tools/walk_site.py fails at what they break
    return processed / ".pages" / docs


# nothing from elsewhere

def katex(cache: Path) -> Path:
    "The folder `dist` of KaTeX, fetched by npm once and checked."
    folder = cache / KATEX
    if not (folder / "package" / "dist").is_dir():
        if not shutil.which("npm"):
            raise ValueError("npm is missing: it fetches KaTeX, without which the pages would show raw TeX; install Node.js")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", KATEX], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        data = next(folder.glob("*.tgz")).read_bytes()
        if base64.b64encode(hashlib.sha512(data).digest()).decode() != KATEX_SHA512:
            shutil.rmtree(folder)
            raise ValueError(f"npm fetched another {KATEX} than the one known here; the build stops")
        with tarfile.open(fileobj=io.BytesIO(data)) as archive, tempfile.TemporaryDirectory(dir=folder) as part:
            archive.extractall(part, filter="data")
            shutil.rmtree(folder / "package", ignore_errors=True)
            (Path(part) / "package").rename(folder / "package")  # whole, or not there
    return folder / "package" / "dist"


def localise(html: Path, site: str, cache: Path) -> None:
    "Links to this site become relative, KaTeX a copy: the site works from any folder, without a network."
    maths = False
    for page in html.rglob("*.html"):
        up = "../" * (len(page.relative_to(html).parts) - 1)
        text = page.read_text(encoding="utf-8")
        here = KATEX_ONLINE.sub(f"{up}site_libs/katex", text.replace(f'href="{site}/', f'href="{up}'))
        maths |= "site_libs/katex" in here
        page.write_text(here, encoding="utf-8")
    for sheet in html.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        sheet.write_text(re.sub(r"@import\s*(url\([^)]*\)|[\"'][^\"']*[\"'])\s*;", "", text), encoding="utf-8")
    if maths:
        skip = shutil.ignore_patterns("*.mjs", "*.ttf", "*.woff", "katex.js", "katex.css", "*swap*")
        shutil.copytree(katex(cache), html / "site_libs" / "katex", ignore=skip)


def main() -> None:
    root, start = Path(__file__).resolve().parent.parent, time.monotonic()
    os.chdir(root)
    config = get_config()
    refresh_quarto_yml()
    write_sidebar(config.nbs_path)
    processed = process(config)
    html = render(processed, config.doc_path.name)
    localise(html, f"{config.doc_host}{config.doc_baseurl}".rstrip("/"), Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edge-glass-docs")
    (html / ".nojekyll").touch()
    shutil.rmtree(config.doc_path, ignore_errors=True)
    shutil.move(html, config.doc_path)
    count = sum(1 for _ in config.doc_path.rglob("*.html"))
    print(f"{config.doc_path.name}/: {count} pages by {'Quarto' if shutil.which('quarto') else 'smalldocs'} in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    from build_site import main  # by this name the workers find Pages
    try:
        main()
    except ValueError as error:
        sys.exit(f"docs: {error}")
