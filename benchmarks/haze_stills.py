"""Dehazing of stills, measured: fidelity to the clear picture, the transmission map, the airlight."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.dark_channel import dark_channel_prior
from benchmarks.davis import read_frame
from benchmarks.haze_bench import DARK_CHANNEL, PER_FRAME, Bench, Ours, Outcome
from benchmarks.haze_score import INPUT, UNKNOWN, Estimate, Truth, score_picture
from benchmarks.material import unit
from benchmarks.sheets import small_picture, stack_sheet, write_sheet
from ddvideo.arrays import FloatArray
from ddvideo.metrics import ssim

__all__ = ["Still", "measure_stills", "read_unit"]


@dataclass(frozen=True)
class Still:
    """A picture to dehaze, and what is known of it: a file with the clear picture, its haze."""

    name: str
    path: Path
    clear: Path | None = None
    truth: Truth = UNKNOWN


def measure_stills(
    bench: Bench, section: str, stills: Sequence[Still], *, variants: Sequence[Ours], sheet: bool = False
) -> None:
    """Dehaze and score stills by the dark channel prior and in every variant; all of a variant in one process.

    Args:
        bench: where it goes.
        section: under which name.
        stills: with names of their own, and stems of their own.
        variants: of ours; what cannot be told from ``full`` on a still is left out.
        sheet: draw one, a line a still.
    """
    paths = [still.path for still in stills]
    outcomes: dict[str, list[Outcome]] = {}
    for variant in variants:
        if variant != PER_FRAME:
            outcomes[variant] = bench.ours(section, "stills", paths, variant)
    lines = []
    for index, still in enumerate(stills):
        with bench.watched(section, still.name, "scoring"):
            picture = read_unit(still.path)
            clear = None if still.clear is None else read_unit(still.clear)
            begun = time.perf_counter()
            baseline = dark_channel_prior(picture)
            seconds = time.perf_counter() - begun
            shown = {INPUT: Estimate(picture), DARK_CHANNEL: baseline}
            told: dict[str, dict[str, Any]] = {INPUT: {}, DARK_CHANNEL: {"seconds_per_frame": seconds}}
            for name, found in outcomes.items():
                if found:
                    shown[name], told[name] = next(found[index].estimates()), found[index].told()
            scores = {name: _scores(estimate, clear, still.truth) for name, estimate in shown.items()}
            bench.add(section, still.name, {name: scores[name] | told[name] for name in shown})
            lines.append((f"{still.name}: {_caption(list(shown), clear)}", _panels(shown, clear)))
    if bench.sheets and sheet and lines:
        with bench.watched(section, "stills", "sheet"):
            write_sheet(bench.out / "sheets" / f"{section}.png", stack_sheet(lines))


def read_unit(path: Path) -> FloatArray:
    """A picture ``(H, W, 3)`` float32 RGB in [0, 1].

    Raises:
        DataError: it cannot be read.
    """
    return unit(read_frame(path))


def _scores(estimate: Estimate, clear: FloatArray | None, truth: Truth) -> dict[str, float]:
    found = score_picture(estimate, clear, truth)
    return found if clear is None else found | {"ssim": ssim(estimate.radiance, clear)}


def _caption(names: Sequence[str], clear: FloatArray | None) -> str:
    return ", ".join([*names, *([] if clear is None else ["truth"]), f"t of {names[-1]}"])


def _panels(shown: dict[str, Estimate], clear: FloatArray | None) -> list[Any]:
    pictures = [estimate.radiance for estimate in shown.values()]
    pictures += [] if clear is None else [clear]
    through = list(shown.values())[-1].through
    pictures += [] if through is None else [through]
    return [small_picture(picture) for picture in pictures]
