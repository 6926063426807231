# SPDX-License-Identifier: GPL-2.0-or-later
"""What a page looks like, as a small picture, and whether it looks as it did when a person last looked at it.

The pictures lie in `pictures/`; MXBACKUP_PICTURES=1 (`make screenshots`) takes them anew. One that differs is written
to DIFFERING, to be looked at.
"""

import base64
import io
import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter

from tests.system.browser import Browser

KEPT = Path(__file__).parent / "pictures"
DIFFERING = Path("build/pictures")
WIDTHS = (360, 800, 1280, 1920)
SCHEMES = ("light", "dark")
TALLEST = 1500  # pixels of a page that are looked at
SCALE = 1 / 6
SHADES = 32
# Each version of a browser draws letters a little differently: what differs by less, blurred, is the same.
FAINT = 14  # of 255
FEW = 4  # pixels of the small picture
# Moments change, and what they are drawn as; all else stays.
STILL = """
for (let part of document.querySelectorAll('svg.mx-strip')) part.style.visibility = 'hidden';
let walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), node;
while (node = walk.nextNode())
  node.data = node.data.replace(/\\d{4}-\\d\\d-\\d\\d( \\d\\d:\\d\\d)?/g, m => '2026-01-01 00:00'.slice(0, m.length));
"""


def looks(browser: Browser) -> Iterator[tuple[int, str]]:
    """Show the page in each width and scheme, one after the other."""
    for scheme in SCHEMES:
        browser.colours(scheme)
        for width in WIDTHS:
            browser.resize(width)
            yield width, scheme


def taken(browser: Browser, width: int, scale: float) -> Image.Image:
    """Return the top of the page as a picture."""
    height = browser.driver.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST), "scale": scale}
    shot = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    return Image.open(io.BytesIO(base64.b64decode(shot["data"])))


def sheet(shots: list[Image.Image]) -> Image.Image:
    """Return pictures beside one another, in few shades of grey."""
    found = Image.new("L", (sum(shot.width for shot in shots), max(shot.height for shot in shots)), 128)
    left = 0
    for shot in shots:
        found.paste(shot.convert("L"), (left, 0))
        left += shot.width
    return found.quantize(SHADES)


def differs(kept: Image.Image, now: Image.Image) -> bool:
    """Whether more than the edges of letters differ: a box has moved, come or gone."""
    if kept.size != now.size:
        return True
    apart = ImageChops.difference(*(each.convert("L").filter(ImageFilter.BoxBlur(1)) for each in (kept, now)))
    return sum(apart.histogram()[FAINT:]) > FEW


def complaint(name: str, now: Image.Image) -> str:
    """Say where the picture is if it is not the kept one; empty where it is, or is taken anew."""
    kept = KEPT / f"{name}.png"
    if os.environ.get("MXBACKUP_PICTURES"):
        _save(now, kept)
    elif not kept.exists() or differs(Image.open(kept), now):
        _save(now, DIFFERING / kept.name)
        found = (DIFFERING / kept.name).resolve()
        return f"{name} looks other than {kept}: see {found}, and if it is right, make screenshots"
    return ""


def _save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)
