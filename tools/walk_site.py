"""Walk the built site in headless Chromium: `python tools/walk_site.py [_docs] [--out _walk] [--pictures]`.

Opens every page at the width of a desk and of a phone and looks for broken links and anchors, console errors, requests to other hosts, raw TeX, missing figures, pages
that nothing leads to, text too small and pages wider than a phone; types into the search. Writes screenshots and report.md, exits 1 if anything is wrong.
`--pictures` also asks for a picture on the first screen of every page. CHROMIUM=... names the browser.
"""
import argparse
import asyncio
import functools
import http.server
import json
import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

from build_site import html_name
from playwright.async_api import Browser, Page, async_playwright

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MIN_TEXT = 10  # px
TEX = r"\$\$|\\\(|\\\[|\\(frac|sum|tau|text|mathrm|mathcal|left|cdot|top|hat|bar|log|exp|lVert|begin)\b|\$[^$\n]*[\\^_{][^$\n]*\$"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
LOOK = """() => {
  const shown = e => e.checkVisibility() && e.getClientRects().length;
  const main = document.querySelector('main') || document.body;
  const texts = [], small = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || !shown(e) || e.closest('script, style, svg, .katex')) continue;
    if (!e.closest('code, pre')) texts.push(text);
    if (parseFloat(getComputedStyle(e).fontSize) < %d) small.add(text.slice(0, 40));
  }
  const images = [...document.images], pictures = [...main.querySelectorAll('img, svg, video, canvas')].filter(shown).map(e => e.getBoundingClientRect());
  return {
    title: document.title, text: texts.join('\\n'), small: [...small],
    links: [...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href')),
    ids: [...document.querySelectorAll('[id], a[name]')].map(e => e.id || e.name),
    missing: images.filter(i => i.complete && !i.naturalWidth).map(i => i.src.slice(0, 90)),
    images: main.querySelectorAll('img, svg').length, broken_maths: document.querySelectorAll('.katex-error').length,
    unset_maths: [...document.querySelectorAll('.math')].filter(e => !e.querySelector('.katex')).length,
    first_picture: Math.min(...pictures.filter(r => r.width > 80 && r.height > 40).map(r => r.top + scrollY), 1e6),
  };
}""" % MIN_TEXT
WIDE = """() => {
  const width = document.documentElement.clientWidth, over = document.documentElement.scrollWidth - width;
  const boxed = e => { for (e = e.parentElement; e && e !== document.body; e = e.parentElement) if (getComputedStyle(e).overflowX !== 'visible') return true; };
  const cause = over > 1 && [...document.body.querySelectorAll('*')].find(e => e.getBoundingClientRect().right > width + 1 && !boxed(e));
  return over > 1 ? [over, cause ? cause.tagName.toLowerCase() + '.' + cause.className + ' ' + cause.textContent.trim().slice(0, 60) : '?'] : null;
}"""


def serve(folder: Path) -> http.server.ThreadingHTTPServer:
    "The folder on a free port of this machine."
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_): pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def chromium() -> str:
    "The browser on this machine."
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named) or sys.exit(f"walk: CHROMIUM={named} is no program; correct it, or unset it for the browser of this machine")
    names = ["chromium", "chromium-browser", "google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"]
    found = next((path for name in names if (path := shutil.which(name))), None)
    return found or sys.exit("walk: no Chromium; apt-get install chromium, or name one by CHROMIUM=...")


def figures(notebook: Path) -> int:
    "Pictures that a page should show: those of its text, and among its outputs."
    hidden = re.compile(r"^#\|\s*(hide\s*$|include:\s*false|output:\s*false)", re.M)
    cells = [(c, "".join(c["source"])) for c in json.loads(notebook.read_text(encoding="utf-8"))["cells"]]
    drawn = sum(any(mime.startswith("image/") for mime in o.get("data", {})) for c, source in cells if c["cell_type"] == "code" and not hidden.search(source) for o in c["outputs"])
    code = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`|^(?: {4}|\t)[^\n]*", re.M | re.S)
    return drawn + sum(len(re.findall(r"!\[[^\]]*\]\(", code.sub("", source))) for c, source in cells if c["cell_type"] == "markdown")


# one page

def listen(page: Page, host: str, bad: list[str]) -> None:
    "Errors of the console and of requests go into `bad`."
    page.on("console", lambda m: bad.append(f"console: {m.text[:200]}") if m.type == "error" else None)
    page.on("pageerror", lambda e: bad.append(f"script: {str(e)[:200]}"))
    page.on("response", lambda r: bad.append(f"status {r.status}: {r.url}") if r.status >= 400 else None)
    page.on("request", lambda r: bad.append(f"asks another host: {r.url[:120]}") if not r.url.startswith((host, "data:", "blob:")) else None)


async def look(browser: Browser, host: str, name: str, out: Path) -> dict:
    "Open one page at both widths: what is on it, and what is wrong with it."
    page, bad = await browser.new_page(viewport=DESK, reduced_motion="reduce"), []
    listen(page, host, bad)
    await page.route(lambda url: not url.startswith(host), lambda route: route.abort())
    await page.goto(f"{host}/{name}", wait_until="load")
    seen = await page.evaluate(LOOK)
    shot = out / name.replace("/", "-").removesuffix(".html")
    await page.screenshot(path=f"{shot}.png")
    await page.set_viewport_size(PHONE)
    if wide := await page.evaluate(WIDE):
        bad.append(f"{wide[0]} px wider than a phone: {wide[1]}")
    bad += [f"on a phone, smaller than {MIN_TEXT} px: {text!r}" for text in (await page.evaluate(LOOK))["small"][:3]]
    await page.screenshot(path=f"{shot}-phone.png")
    await page.close()
    bad += [f"raw TeX: {seen['text'][max(m.start() - 30, 0):m.end() + 30]!r}" for m in [re.search(TEX, seen["text"])] if m]
    bad += [f"{seen[key]} formulas {words}" for key, words in [("broken_maths", "that KaTeX cannot read"), ("unset_maths", "not set")] if seen[key]]
    bad += [f"missing picture: {source}" for source in seen["missing"]] + [f"smaller than {MIN_TEXT} px: {text!r}" for text in seen["small"][:3]]
    return {**seen, "bad": bad}


async def search(browser: Browser, host: str, seen: dict[str, dict]) -> list[str]:
    "Type the shortest title into the search: its page must come up."
    page, bad = await browser.new_page(viewport=DESK, reduced_motion="reduce"), []
    listen(page, host, bad)
    await page.goto(f"{host}/index.html")
    box = page.locator("input[type=search], .smalldocs-search input, .aa-Input").locator("visible=true").first
    titles = {name: page["title"].split(" – ")[0] for name, page in seen.items() if name != "index.html"}
    wanted = min(titles, key=lambda name: len(titles[name]))
    try:
        await box.fill(titles[wanted], timeout=10_000)
        await page.locator(f"a.search-result[href*='{wanted}'], a[href*='{wanted}'].aa-ItemLink").first.wait_for(timeout=10_000)
    except Exception as error:
        bad.append(f"the search does not find {wanted} by {titles[wanted]!r}: {str(error).splitlines()[0]}")
    await page.close()
    return bad


# all pages together

def broken_links(docs: Path, host: str, seen: dict[str, dict]) -> None:
    "Links to pages, files and anchors that are not there, and pages that nothing leads to."
    reached = {"index.html", "404.html"}
    for name, page in seen.items():
        for link in dict.fromkeys(page["links"]):
            target, anchor = urldefrag(urljoin(f"{host}/{name}", link))
            if not target.startswith(host):
                page["bad"] += [] if re.fullmatch(r"(https?|mailto):\S+(?<!#LNone)", link) else [f"broken link: {link}"]
                continue
            path = unquote(target.removeprefix(host).lstrip("/")) or "index.html"
            path += "index.html" if path.endswith("/") else ""
            reached |= {path} if path != name else set()
            if path not in seen and not (docs / path).is_file():
                page["bad"].append(f"broken link: {link}")
            elif anchor and path in seen and unquote(anchor) not in seen[path]["ids"]:
                page["bad"].append(f"broken anchor: {link}")
    for name in seen.keys() - reached:
        seen[name]["bad"].append("no page leads here")


def make_room(out: Path) -> None:
    "An empty folder in the place of an earlier walk; what is no walk is not deleted."
    if out.exists() and not (out / "report.md").is_file() and not (out.is_dir() and not any(out.iterdir())):
        sys.exit(f"walk: {out} holds something, and no report.md of an earlier walk; it would be deleted, so choose another --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / "report.md").write_text("This walk has not come to its end.\n", encoding="utf-8")


async def walk(docs: Path, out: Path, nbs: Path | None = None, workers: int = 4, pictures: bool = False) -> dict[str, dict]:
    "Every page of the site: name -> what is on it and what is wrong."
    make_room(out)
    server, names = serve(docs), sorted(p.relative_to(docs).as_posix() for p in docs.rglob("*.html"))
    host, gate = f"http://127.0.0.1:{server.server_port}", asyncio.Semaphore(workers)
    notebooks = {html_name(p.relative_to(nbs).as_posix()).replace(".ipynb", ".html"): p for p in (nbs.rglob("[!.]*.ipynb") if nbs else [])}

    async def one(name: str) -> tuple[str, dict]:
        async with gate:
            return name, await look(browser, host, name, out)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        seen = dict(await asyncio.gather(*(one(name) for name in names)))
        seen["index.html"]["bad"] += await search(browser, host, seen)
        await browser.close()
    server.shutdown()
    server.server_close()
    for name, page in seen.items():
        if (book := notebooks.get(name)) and page["images"] < figures(book):
            page["bad"].append(f"{page['images']} pictures, {figures(book)} in its notebook")
        if pictures and page["first_picture"] > DESK["height"]:
            page["bad"].append("no picture on the first screen")
    broken_links(docs, host, seen)
    return seen


def report(seen: dict[str, dict], seconds: float) -> str:
    "What was found, as Markdown."
    wrong = {name: list(dict.fromkeys(page["bad"])) for name, page in sorted(seen.items()) if page["bad"]}
    plain = [name for name, page in sorted(seen.items()) if page["first_picture"] > DESK["height"]]
    lines = [f"{len(seen)} pages at {DESK['width']} and {PHONE['width']} px in {seconds:.0f} s, {2 * len(seen)} screenshots; {len(wrong)} pages with something wrong", ""]
    lines += [f"- {name}: {line}" for name, bad in wrong.items() for line in bad]
    lines += ["", f"No picture on the first screen ({len(plain)}): {', '.join(plain)}"] if plain else []
    return "\n".join(lines)


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("docs", nargs="?", type=Path, default=root / "_docs")
    parser.add_argument("--out", type=Path, default=root / "_walk")
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--pictures", action="store_true")
    args, start = parser.parse_args(), time.monotonic()
    if not (args.docs / "index.html").is_file():
        sys.exit(f"walk: no site in {args.docs.name}/; build it by tools/docs")
    found = asyncio.run(walk(args.docs, args.out, root / "nbs", args.workers, args.pictures))
    text = report(found, time.monotonic() - start)
    (args.out / "report.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    sys.exit(any(page["bad"] for page in found.values()))
