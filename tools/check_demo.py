"""Use the demo as people do: `python tools/check_demo.py`. Serves a tiny run, opens it in headless Chromium, types, drops a picture and a recording, speaks, and drops
a decompression bomb; compares what is shown with what the library says, and makes sure that the page asks nothing of any other machine.

    python tools/check_demo.py --run runs/quickstart_trm --picture nbs/images/demo.png

takes a run of one's own, with its index, and keeps a picture of the page. CHROMIUM=... names the browser.
"""
import argparse
import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlparse

import soundfile
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from walk_site import FLAGS, chromium

from edge_glass_modular import runner
from edge_glass_modular.config import load_config
from edge_glass_modular.data.transforms import load_audio, load_image
from edge_glass_modular.demo import respond, serve_demo
from edge_glass_modular.search import Searcher, embed_run

MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
SENTENCE = "a red circle left of an orange square"
SECONDS = 120


def small_run(folder: Path) -> Path:
    "A run that speaks, after a few steps, and its index."
    runner.train(load_config("trimodal_trm", ["training.max_steps=4", "data.scenes.num_test=16"], tiny=True), folder / "run", device="cpu")
    embed_run(folder / "run", overrides=["data.scenes.num_test=60"], device="cpu")
    return folder / "run"


def shown(page: Page, found: dict) -> None:
    "What stands on the page is what `respond` found."
    texts = [f"{text} {similarity:.2f}" for similarity, text in found.get("text", [])]
    expect(page.locator("#how")).to_contain_text(found["how"].split(";")[0])
    expect(page.locator("#texts li")).to_have_text(texts)
    expect(page.locator("#pictures .caption-label")).to_have_text([text for _, text in found.get("vision", [])])
    page.wait_for_function("() => [...document.querySelectorAll('#pictures img')].every(image => image.complete && image.naturalWidth > 0)")
    for n, (_, text) in enumerate(found.get("audio", [])[:3]): expect(page.locator(f"#recording{n}")).to_contain_text(text)
    if page.locator("#caption textarea").count(): expect(page.locator("#caption textarea")).to_have_value(found["caption"])


def use(page: Page, searcher: Searcher, folder: Path, picture: Path | None) -> None:
    "Ask in every way that the index has a sample for."
    sample = searcher.dataset.raw(0)
    if "vision" in sample: load_image(sample["vision"]).save(folder / "sample.png")
    if "audio" in sample: soundfile.write(folder / "sample.wav", load_audio(sample["audio"]), 16_000)
    page.locator("#ask-text textarea, #ask-text input").first.fill(SENTENCE)
    page.keyboard.press("Enter")
    shown(page, respond(searcher, "text", SENTENCE))
    print("typed a sentence: the nearest of each modality stand there")
    if "audio" in sample:
        page.locator("#ask-audio .record-button").click()
        page.wait_for_timeout(1500)
        page.locator("#ask-audio .stop-button").click()
        expect(page.locator("#how")).to_contain_text("asked by audio")
        page.locator("#ask-audio [aria-label='Clear']").last.click()
        page.locator("#ask-audio [aria-label='Upload file']").click()
        page.locator("#ask-audio input[type=file]").set_input_files(folder / "sample.wav")
        shown(page, respond(searcher, "audio", folder / "sample.wav"))
        print("spoke into a microphone (Chromium's beep), then dropped a recording")
    if "vision" in sample:
        page.locator("#ask-vision input[type=file]").set_input_files(folder / "sample.png")
        shown(page, found := respond(searcher, "vision", folder / "sample.png"))
        expect(page.locator("#pictures .caption-label").first).to_have_text(re.compile(r"^1\.00 "))  # itself
        assert not page.locator("#ask-text textarea, #ask-text input").first.input_value()
        print("dropped a picture, which finds itself:", found["caption"] or "this run has no decoder that reads it")
        if picture: page.screenshot(path=picture, full_page=True)
        refuse_bomb(page, folder)


def refuse_bomb(page: Page, folder: Path) -> None:
    "144 million pixels in a few bytes; the browser gets no more than the header either."
    Image.new("1", (12_000, 12_000)).save(folder / "whole.png")
    (folder / "bomb.png").write_bytes((folder / "whole.png").read_bytes()[:200])
    page.reload()
    page.locator("#ask-vision input[type=file]").set_input_files(folder / "bomb.png")
    expect(page.get_by_text("12000x12000 pixels").first).to_be_visible()
    print("dropped a decompression bomb: refused by its header")


def main(run: Path | None, picture: Path | None) -> None:
    "Serve, use, compare."
    asked, complaints = set(), []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as play:
        searcher = Searcher(run := run or small_run(Path(name)), device="cpu")
        served = serve_demo(run, device="cpu", wait=False)
        page = play.chromium.launch(executable_path=chromium(), args=[*FLAGS, *MICROPHONE]).new_page(viewport={"width": 1100, "height": 900})
        page.set_default_timeout(1000 * SECONDS)
        expect.set_options(timeout=1000 * SECONDS)
        page.on("request", lambda request: asked.add(urlparse(request.url).hostname))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served.local_url)
        use(page, searcher, Path(name), picture)
        served.close()
    strangers = asked - {"127.0.0.1", None}  # None: data: and blob:
    if strangers or complaints: sys.exit(f"the page asked {strangers or 'nobody else'}; errors in the browser: {complaints or 'none'}")
    print("nobody but this machine was asked for anything")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--run", type=Path, help="a run of one's own, with an index")
    arguments.add_argument("--picture", type=Path, help="where a picture of the page goes")
    main(**vars(arguments.parse_args()))
