"""Times the page in a browser, from a click to the first stage and to the last.

python -m train page-speed                             # on a page that it starts, the mini set
python -m train page-speed --url http://127.0.0.1:7860 --times 5

The picture is a 640×480 scene. Each question is a new expression about it, so the features of the
picture are kept and the answer is not; the first question is reported apart. Needs chromium and
playwright.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from train.measure.page import start_page
from train.measure.page_load import SCENES

WORDS = ("left", "right", "big", "small", "red", "blue", "top", "bottom", "first", "last", "middle")
QUIET = 3000  # ms after which nothing more comes
WATCH = """() => {
    const shown = {}
    const start = performance.now()
    const look = () => {
        for (const id of ['candidates', 'prompts', 'scores', 'answers', 'heat', 'ious', 'words']) {
            const block = document.getElementById(id)
            const images = [...block.querySelectorAll('img')].map(image => image.src)
            const now = images.join() || block.innerText
            if (shown[id] === undefined) shown[id] = {now, at: 0}
            else if (shown[id].now !== now) shown[id] = {now, at: performance.now() - start}
        }
        window.timer = requestAnimationFrame(look)
    }
    window.times = shown
    look()
    document.getElementById('run').click()
}"""


def ask(page: Page, words: str) -> dict[str, float]:
    """Milliseconds from the click to the last change of each part of the answer."""
    page.fill("#expressions textarea", words)
    page.wait_for_timeout(300)
    page.evaluate(WATCH)
    page.wait_for_timeout(QUIET)
    page.evaluate("cancelAnimationFrame(window.timer)")
    times = page.evaluate("window.times")
    return {name: part["at"] for name, part in times.items() if part["at"]}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train page-speed", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--times", type=int, default=10, help="questions; default: 10")
    parser.add_argument("--url", help="page to use; default: starts one")
    parser.add_argument("--port", type=int, default=7878, help="for the page that it starts")
    args = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    server = None if args.url else start_page(args.port)
    try:
        with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
            picture = Path(folder) / "scene.png"
            Image.open(SCENES[0]).resize((640, 480)).save(picture)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(args.url or f"http://127.0.0.1:{args.port}")
            page.wait_for_selector("#run")
            page.set_input_files("#picture input[type=file]", picture)
            page.wait_for_selector("#picture img")
            rows = [
                ask(page, f"the {WORDS[n % len(WORDS)]} one number {n}")
                for n in range(args.times + 1)
            ]
            browser.close()
    finally:
        if server:
            server.terminate()
            server.wait()
    for name, some in (("first question", rows[:1]), (f"median of {args.times}", rows[1:])):
        first, last = (median(pick(row.values()) for row in some) for pick in (min, max))
        print(f"{name}: first stage {first / 1000:.2f} s, last {last / 1000:.2f} s")
    print({name: round(at) for name, at in rows[-1].items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
