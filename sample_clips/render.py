"""Render the sample clips again: ``python -m sample_clips.render``, from the root of the checkout.

The tests use ``scene(name)`` for the ground truth behind a clip, frame by frame, and ``long_scene(frames)`` for a
clip of any length that is not kept as a file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

from sample_clips.garden import Garden
from sample_clips.mixed import Mixed
from sample_clips.pond import Pond
from sample_clips.scene import Scene
from sample_clips.valley import Valley
from sample_clips.window import Window
from sample_clips.write import write_clip

__all__ = ["CLIPS", "long_scene", "pts_seconds", "render", "scene"]

_SCENES: Mapping[str, Callable[[], Scene]] = {
    "mover": lambda: Pond("mover", seed=1),
    "reflection": lambda: Window("reflection", seed=1),
    "marked": lambda: Garden("marked", seed=1),
    "hazy": lambda: Valley("hazy", seed=1),
    "mixed": lambda: Mixed("mixed", seed=4),
}
CLIPS: tuple[str, ...] = tuple(_SCENES)
"""Names of the clips: ``<name>.mp4`` lies beside this file."""

_CRF = {"mover": 12, "reflection": 12, "marked": 12, "hazy": 12, "mixed": 12}
_FRAME_SECONDS = Fraction(1, 25)
# The mixed clip's frames last 33, 40 or 67 ms in turn, as a telephone's do in changing light.
_VARIABLE_SECONDS = (Fraction(1, 30), Fraction(1, 30), Fraction(1, 25), Fraction(1, 15), Fraction(1, 25))


def scene(name: str) -> Scene:
    """The scene behind a clip; drawing its textures takes some seconds, so make it once."""
    return _SCENES[name]()


def long_scene(frames: int = 240, *, width: int = 320, height: int = 180, seed: int = 2) -> Pond:
    """A pond in which the fish and the camera go round, for clips of any length."""
    return Pond("long", seed=seed, frames=frames, width=width, height=height, endless=True)


def pts_seconds(name: str, frames: int) -> list[Fraction]:
    """When each frame of a clip is shown, and when the last one ends: ``frames + 1`` times."""
    steps = _VARIABLE_SECONDS if name == "mixed" else (_FRAME_SECONDS,)
    times = [Fraction(0)]
    for index in range(frames):
        times.append(times[-1] + steps[index % len(steps)])
    return times


def render(name: str, folder: Path) -> Path:
    """Render one clip into ``folder`` and return its path."""
    made = scene(name)
    path = folder / f"{name}.mp4"
    write_clip(path, made, pts_seconds(name, made.frames), crf=_CRF[name], audio=name == "mixed")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sample_clips.render", description="Render the sample clips again.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which clips (default: all): {', '.join(CLIPS)}")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(__file__).parent, help="folder (default: beside the script)"
    )
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(CLIPS))
    if unknown:
        parser.error(f"no clip is called {', '.join(unknown)}; there are {', '.join(CLIPS)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or CLIPS:
        path = render(name, arguments.out)
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
