"""Make the pictures of the README again: ``python docs/make_pictures.py``, from the root of the checkout.

Splits the sample clips, each by its task, and writes one strip a task into ``docs/pictures/``: one frame, and its
layers as they were written.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import ddvideo

ROOT = Path(__file__).resolve().parent.parent
PANEL_PX = (320, 180)
GAP_PX, LABEL_PX, TEXT_PX = 6, 30, 20
CHECKER_PX, CHECKER = 20, (0.42, 0.34)
MAX_BYTES = 150 * 1024

Picture = NDArray[np.float32]
Panels = dict[str, Picture]


@dataclass(frozen=True)
class Strip:
    """One picture: the task, its sample clip, which frame, and its panels from the input and the layers."""

    task: Callable[..., Any]
    clip: str
    frame: int
    panels: Callable[[Picture, Mapping[str, Picture]], Panels]


def checker(shape: tuple[int, ...]) -> Picture:
    """The pattern that stands for transparency, ``(H, W, 1)``."""
    rows, columns = np.indices(shape[:2]) // CHECKER_PX
    return np.where((rows + columns) % 2, *CHECKER).astype(np.float32)[..., None]


def over_checker(colour: Picture, alpha: Picture) -> Picture:
    """A layer as far as it is there, before the pattern of transparency."""
    return alpha[..., None] * colour + (1 - alpha[..., None]) * checker(alpha.shape)


STRIPS = {
    "segment": Strip(
        ddvideo.segment,
        "mover",
        12,
        lambda frame, layers: {
            "input": frame,
            "foreground": over_checker(layers["foreground"], layers["alpha"]),
            "background": layers["background"],
            "alpha": layers["alpha"],
        },
    ),
    "separate": Strip(
        ddvideo.separate,
        "reflection",
        20,
        lambda frame, layers: {
            "input": frame,
            "transmission": layers["transmission"],
            "reflection": layers["reflection"],
        },
    ),
    "dehaze": Strip(
        ddvideo.dehaze,
        "hazy",
        20,
        lambda frame, layers: {
            "input": frame,
            "radiance": layers["radiance"],
            "transmission map": layers["transmission_map"],
        },
    ),
    "dewatermark": Strip(
        ddvideo.dewatermark,
        "marked",
        20,
        lambda frame, layers: {
            "input": frame,
            "clean": layers["clean"],
            "mark": over_checker(layers["mark"], layers["alpha"]),
            "alpha": layers["alpha"],
        },
    ),
}


def draw(panels: Panels) -> Image.Image:
    """The panels side by side with their names below, in 256 colours."""
    width, height = PANEL_PX
    size = (len(panels) * (width + GAP_PX) - GAP_PX, height + LABEL_PX)
    strip = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(TEXT_PX)
    for place, (name, values) in enumerate(panels.items()):
        levels = np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
        panel = Image.fromarray(levels).convert("RGB").resize(PANEL_PX, Image.Resampling.LANCZOS)
        left = place * (width + GAP_PX)
        strip.paste(panel, (left, 0))
        pen.text((left + width / 2, height + LABEL_PX / 2), name, fill="black", font=font, anchor="mm")
    return strip.quantize(256, dither=Image.Dither.NONE)


def frame_of(strip: Strip, out: Path, preset: str) -> Panels:
    """Split the strip's clip and take the panels of its frame."""
    from ddvideo.media import read_layer

    path = ROOT / "sample_clips" / f"{strip.clip}.mp4"
    result = strip.task(path, out=out, preset=preset)
    files = {name: layer.path for name, layer in result.layers.items()}
    layers = {name: pick(read_layer(file), strip.frame) for name, file in files.items()}
    return strip.panels(pick(read_layer(path), strip.frame), layers)


def pick(frames: Any, index: int) -> Picture:
    """Frame ``index`` of a stream of frames."""
    return next(frame for place, frame in enumerate(frames) if place == index)


def main() -> None:
    """Make the pictures that are asked for."""
    parser = argparse.ArgumentParser(prog="python docs/make_pictures.py", description="Make the README's pictures.")
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"which (default: all): {', '.join(STRIPS)}")
    parser.add_argument("--preset", default="balanced", help="of the splits (default: balanced)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep the layers there (default: a temporary folder)")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "docs" / "pictures", help="folder of the pictures")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.tasks) - set(STRIPS)):
        parser.error(f"there is no picture of {', '.join(unknown)}; there are {', '.join(STRIPS)}")
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for name in asked.tasks or STRIPS:
            path = asked.out / f"{name}.png"
            draw(frame_of(STRIPS[name], asked.work or Path(temporary), asked.preset)).save(path, optimize=True)
            size = path.stat().st_size
            print(f"{path}: {size / 1024:.0f} KiB")
            if size > MAX_BYTES:
                raise SystemExit(f"{path} is larger than {MAX_BYTES / 1024:.0f} KiB: make PANEL_PX smaller")


if __name__ == "__main__":
    main()
