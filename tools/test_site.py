"""The site is built and walked, and the walk notices what it should: `python -m pytest tools/test_site.py`. Needs Chromium and npm."""
import asyncio
import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import build_site  # noqa: E402
import walk_site  # noqa: E402

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def write(path: Path, *cells) -> None:
    "A notebook."
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=list(cells), metadata={"kernelspec": {"name": "python3", "display_name": "python3", "language": "python"}}), path)


# navigation and names

def test_sidebar_has_the_rooms_in_their_order():
    names = ["00_core.ipynb", "10_data.ipynb", "11_more.ipynb", "89_cli.ipynb", "experiments/00_first.ipynb", "guide/limits.ipynb", "index.ipynb", "tutorials/own.ipynb"]
    home, *sections = build_site.sidebar(names)
    assert home["href"] == "index.ipynb"
    assert [s["section"] for s in sections] == ["Guide", "Tutorials", "Foundations", "Data", "Commands", "Experiments"]
    assert sections[3]["contents"] == ["10_data.ipynb", "11_more.ipynb"]


def test_tutorials_begin_with_the_first(tmp_path):
    for name in ("index", "tutorials/customary", "tutorials/start_in_five_minutes", "guide/limits", "guide/design", "00_core", "_draft", ".ipynb_checkpoints/index"):
        write(tmp_path / f"{name}.ipynb")
    assert build_site.pages(tmp_path) == ["guide/design.ipynb", "guide/limits.ipynb", "tutorials/start_in_five_minutes.ipynb", "00_core.ipynb", "index.ipynb", "tutorials/customary.ipynb"]


def test_a_page_without_a_section_is_refused():
    with pytest.raises(ValueError, match=r"no section .*notes\.ipynb"):
        build_site.sidebar(["index.ipynb", "notes.ipynb"])


@pytest.mark.parametrize("text, expected", [
    ("[a](20_perceiver.ipynb)", "[a](perceiver.ipynb)"), ("[a](../00_core.ipynb#one)", "[a](../core.ipynb#one)"), ('<a href="experiments/01_x.ipynb">', '<a href="experiments/x.ipynb">'),
    ("[a](https://host/20_perceiver.ipynb)", "[a](https://host/20_perceiver.ipynb)"), ("in `20_perceiver.ipynb`", "in `20_perceiver.ipynb`"), ("  - 20_perceiver.ipynb\n", "  - perceiver.ipynb\n"),
])
def test_links_carry_the_names_of_pages(text, expected):
    assert build_site.renamed(text) == expected


def test_two_notebooks_may_not_make_one_page(tmp_path):
    write(tmp_path / "01_a.ipynb"), write(tmp_path / "02_a.ipynb")
    with pytest.raises(ValueError, match="two notebooks make the page a.ipynb: rename 02_a.ipynb"):
        build_site.plain_site(tmp_path)


def test_formulas_stand_alone():
    assert build_site.own_lines("Text\n$$a\n+ b$$\nmore") == "Text\n\n$$a\n+ b$$\n\nmore"
    assert build_site.own_lines("an inline $$a$$ stays") == "an inline $$a$$ stays"


# KaTeX

def test_without_npm_the_build_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="npm is missing.*install Node.js"):
        build_site.katex(tmp_path)


def test_another_katex_is_refused(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho other > katex.tgz\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ValueError, match="npm fetched another katex"):
        build_site.katex(tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.tgz"))


def test_a_katex_that_was_not_unpacked_to_its_end_does_not_count(tmp_path, monkeypatch):
    def pack(*names: str) -> None:
        "What npm fetches, and its digest as the known one."
        with tarfile.open(tmp_path / "katex.tgz", "w:gz") as archive:
            for name in names: archive.addfile(tarfile.TarInfo(name), io.BytesIO())
        monkeypatch.setattr(build_site, "KATEX_SHA512", base64.b64encode(hashlib.sha512((tmp_path / "katex.tgz").read_bytes()).digest()).decode())
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\ncp {tmp_path / 'katex.tgz'} .\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    pack("package/dist/katex.js", "../outside")  # which ends the unpacking, as a kill does
    with pytest.raises(tarfile.FilterError):
        build_site.katex(tmp_path / "cache")
    pack("package/dist/katex.js", "package/dist/katex.css")
    assert sorted(p.name for p in build_site.katex(tmp_path / "cache").iterdir()) == ["katex.css", "katex.js"]


# a small project, built and walked

@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    "Two rooms, a tutorial and the landing page, made by tools/docs."
    root = tmp_path_factory.mktemp("project")
    (root / "tools").mkdir()
    for name in ("settings.ini", "_quarto.yml", "tools/docs", "tools/build_site.py", "nbs/styles.css", "nbs/favicon.svg"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "nbs" / "_quarto.yml").symlink_to("../_quarto.yml")
    package = root / "edge_glass_modular"
    package.mkdir()
    (package / "__init__.py").write_text("")
    source = '#| export\ndef double(\n    x: int,  # any number\n) -> "fractions.Fraction":  # twice as much\n    "Two times `x`."\n    return 2 * x\n\ndef shell(\n    name: Annotated[str, "--name"] = "a",\n): "Of the shell."'
    (package / "core.py").write_text(source.replace("#| export\n", "from typing import Annotated\n__all__ = ['double']\n\n"))
    (package / "_modidx.py").write_text("d = {'settings': {'branch': 'main', 'doc_baseurl': '/edge_glass_modular', 'doc_host': 'https://edge-glass.github.io', 'lib_path': 'edge_glass_modular',"
                                        "'git_url': 'https://github.com/edge-glass/edge_glass_modular'}, 'syms': {'edge_glass_modular.core': "
                                        "{'edge_glass_modular.core.double': ('core.html#double', 'edge_glass_modular/core.py')}}}\n")
    figure = new_code_cell("1", outputs=[new_output("display_data", {"image/png": PIXEL})])
    table = new_code_cell("2", outputs=[new_output("display_data", {"text/markdown": "| a |\n| --- |\n| [core](00_core.ipynb) |"})])
    write(root / "nbs" / "00_core.ipynb", new_markdown_cell("# core\n> Doubles."), new_markdown_cell("The introduction, with $x^2$.\n$$\\frac{1}{2}\n+ b$$\nafter"),
          new_code_cell("#| default_exp core"), new_code_cell(source), new_code_cell("import edge_glass_modular.gone\nnever()"), figure)
    write(root / "nbs" / "index.ipynb", new_markdown_cell("# Home\n> All."), new_markdown_cell("See [the tutorial](tutorials/01_own.ipynb)."), table)
    write(root / "nbs" / "tutorials" / "01_own.ipynb", new_markdown_cell("# Own\n> Yours."), new_markdown_cell("Use `double`, see [core](../00_core.ipynb#double)."))
    env = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(["bash", "tools/docs"], cwd=root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 pages" in done.stdout
    return root


def test_the_page_has_introduction_and_signature(built):
    page = re.sub(r"</?span[^>]*>", "", (built / "_docs" / "core.html").read_text())
    assert "The introduction, with" in page
    assert "# any number" in page and "# twice as much" in page
    assert "fractions.Fraction" in page and "name:str=" in page
    assert 0 < page.index("def double(") < page.index("def shell(")
    assert "edge_glass_modular/core.py#L4" in page
    assert "edge_glass_modular.gone" in page  # shown, and not run


def test_the_site_needs_no_network_and_no_host(built):
    pages = {p.name: p.read_text() for p in (built / "_docs").rglob("*.html")}
    assert pages["own.html"].count('href="../core.html#double"') == 2 and 'href="https://edge-glass.github.io' not in pages["own.html"]
    assert "cdn." not in "".join(pages.values()) and "site_libs/katex/katex.min.js" in pages["core.html"]
    assert (built / "_docs" / "site_libs" / "katex" / "katex.min.js").is_file()
    assert "@import" not in "".join(p.read_text() for p in (built / "_docs").rglob("*.css"))


def test_a_page_that_is_gone_goes_from_the_site(built):
    (built / "_proc" / "77_old.ipynb").write_text((built / "_proc" / "index.ipynb").read_text())
    env = {**os.environ, "PYTHONPATH": str(built)}
    subprocess.run(["bash", "tools/docs"], cwd=built, env=env, check=True, capture_output=True)
    assert not list((built / "_docs").rglob("old.html")) and (built / "_docs" / "core.html").is_file()


def test_the_walk_finds_nothing_wrong_with_it(built, tmp_path):
    seen = asyncio.run(walk_site.walk(built / "_docs", tmp_path / "out", built / "nbs"))
    assert {name: page["bad"] for name, page in seen.items() if page["bad"]} == {}
    assert len(list((tmp_path / "out").glob("*.png"))) == 2 * len(seen)
    assert "3 pages" in walk_site.report(seen, 1)


# a site with one thing wrong on each page

BROKEN = {
    "link": ('<a href="gone.html">x</a>', "broken link: gone.html"),
    "anchor": ('<a href="index.html#gone">x</a>', "broken anchor: index.html#gone"),
    "line": ('<a href="https://host/file.py#LNone">x</a>', "broken link: https://host/file.py#LNone"),
    "console": ("<script>console.error('oh')</script>", "console: oh"),
    "script": ("<script>gone()</script>", "script: gone is not defined"),
    "host": ('<link rel="stylesheet" href="http://other.invalid/a.css">', "asks another host: http://other.invalid/a.css"),
    "image": ('<img src="gone.png">', "missing picture"),
    "file": ('<link rel="stylesheet" href="gone.css">', "status 404"),
    "tex": (r"<p>The loss $$\frac{1}{2}$$</p>", "raw TeX"),
    "dollar": ("<p>with $x_1$ in it</p>", "raw TeX"),
    "formula": ('<span class="math"><span class="katex"><span class="katex-error">x</span></span></span>', "1 formulas that KaTeX cannot read"),
    "unset": ('<span class="math">x</span>', "1 formulas not set"),
    "wide": ('<div style="width: 700px">x</div>', "px wider than a phone: div"),
    "small": ('<p style="font-size: 6px">tiny</p>', "smaller than 10 px: 'tiny'"),
    "phone": ("<style>@media (max-width: 500px) { p { font-size: 6px } }</style><p>tiny</p>", "on a phone, smaller than 10 px: 'tiny'"),
    "figure": ("<p>no picture here</p>", "0 pictures, 1 in its notebook"),
    "drawing": (f'<img src="data:image/png;base64,{PIXEL}">', "1 pictures, 2 in its notebook"),
}
FINE = r'<pre><code>r"$$\frac" </code></pre><div style="overflow-x: auto"><div style="width: 700px">a table in its box</div></div><a href="mailto:a@b.c">x</a>'
SEARCH = """<input type="search" oninput="document.querySelector('div').innerHTML = this.value == 'hidden' ? '<a class=search-result href=hidden.html>hidden</a>' : ''"><div></div>"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> tuple[Path, dict]:
    "What the walk says of a page for each kind of mistake."
    root = tmp_path_factory.mktemp("broken")
    docs = root / "docs"
    docs.mkdir()
    page = lambda title, body: f'<!doctype html><html><head><title>{title}</title><link rel="icon" href="data:,"></head><body><main>{body}</main></body></html>'
    (docs / "index.html").write_text(page("home", SEARCH + "".join(f'<a href="{name}.html">{name}</a> ' for name in [*BROKEN, "fine"])))
    for name, (body, _) in BROKEN.items():
        (docs / f"{name}.html").write_text(page(f"The page {name}", body))
    (docs / "fine.html").write_text(page("The page fine", FINE))
    (docs / "hidden.html").write_text(page("hidden", "no page leads here"))
    shown = [new_output("display_data", {"image/png": PIXEL})]
    code = new_markdown_cell("Write `![words](a.png)`, or\n\n    ![words](b.png)\n\n```\n![words](c.png)\n```\nin a cell of text.")
    write(root / "nbs" / "03_figure.ipynb", new_code_cell("1", outputs=shown), new_code_cell("#| hide\n2", outputs=shown), code)
    write(root / "nbs" / "04_drawing.ipynb", new_markdown_cell("Text.\n\n![words](a.png)\n\nMore text."), new_code_cell("1", outputs=shown))
    return docs, asyncio.run(walk_site.walk(docs, root / "out", root / "nbs"))


@pytest.mark.parametrize("name", BROKEN)
def test_the_walk_notices(broken, name):
    assert any(BROKEN[name][1] in line for line in broken[1][f"{name}.html"]["bad"]), broken[1][f"{name}.html"]["bad"]


def test_the_walk_lets_pass_what_is_fine(broken):
    assert broken[1]["fine.html"]["bad"] == [] == broken[1]["index.html"]["bad"]


def test_the_walk_notices_a_page_that_nothing_leads_to(broken):
    assert broken[1]["hidden.html"]["bad"] == ["no page leads here"]


def test_the_walk_ends_with_an_error(broken, tmp_path):
    (broken[0] / "index.html").write_text((broken[0] / "index.html").read_text().replace('type="search"', 'type="text"'))
    done = subprocess.run([sys.executable, ROOT / "tools" / "walk_site.py", broken[0], "--out", tmp_path / "out", "--pictures"], capture_output=True, text=True)
    assert done.returncode == 1
    assert (tmp_path / "out" / "report.md").read_text() == done.stdout
    assert "- index.html: the search does not find" in done.stdout and "- fine.html: no picture on the first screen" in done.stdout


def test_the_walk_deletes_only_a_walk(tmp_path):
    (tmp_path / "nbs").mkdir()
    (tmp_path / "nbs" / "core.ipynb").write_text("precious")
    for precious in (tmp_path / "nbs", tmp_path / "nbs" / "core.ipynb"):
        with pytest.raises(SystemExit, match="holds something, and no report.md .*; it would be deleted, so choose another --out"):
            walk_site.make_room(precious)
    assert (tmp_path / "nbs" / "core.ipynb").read_text() == "precious"
    walk_site.make_room(tmp_path / "new")
    (tmp_path / "new" / "index.png").write_text("of a walk that was interrupted")
    walk_site.make_room(tmp_path / "new")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["report.md"]


def test_a_browser_that_is_named_is_the_one_taken(tmp_path, monkeypatch):
    (tmp_path / "chromium").write_text("#!/bin/sh\n")
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "chromium-beta"))
    with pytest.raises(SystemExit, match="CHROMIUM=.*chromium-beta is no program; correct it, or unset it"):
        walk_site.chromium()
    monkeypatch.setenv("CHROMIUM", "chromium")
    assert walk_site.chromium() == str(tmp_path / "chromium")


def test_without_a_site_or_a_browser_the_walk_says_so(tmp_path, monkeypatch):
    done = subprocess.run([sys.executable, ROOT / "tools" / "walk_site.py", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1 and "build it by tools/docs" in done.stderr
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    if not Path("/Applications").exists():
        with pytest.raises(SystemExit, match="no Chromium; apt-get install chromium"):
            walk_site.chromium()
