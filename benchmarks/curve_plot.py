"""The plot of quality over time, as SVG written by hand: a few lines, no library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

__all__ = ["Point", "draw_curve", "ticks"]

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 620, 52, 348
_MARGIN = 0.02
_J, _F = "#1b6ca8", "#c4561a"
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Point:
    """What took so many seconds a frame, and the J and F that came of it; either may be unknown."""

    name: str
    seconds: float
    j: float | None
    f: float | None


def draw_curve(points: Sequence[Point], reference: Point | None, title: str, *, seeds: Sequence[Point] = ()) -> str:
    """J and F over seconds a frame as SVG: points joined by lines in the order of their time, the reference hollow.

    Args:
        points: at least one.
        reference: a method to compare with, which no line goes through.
        title: one line above the plot.
        seeds: the same without the coupled networks, joined by dashed lines; named by what they are, not one by one.
    """
    points, seeds = (sorted(some, key=lambda point: point.seconds) for some in (points, seeds))
    everything = [*points, *seeds, *([reference] if reference else [])]
    values = [value for point in everything for value in (point.j, point.f) if value is not None]
    across = ticks(0, 1.05 * max(point.seconds for point in everything))
    up = ticks(max(min(values) - _MARGIN, 0), min(max(values) + _MARGIN, 1))
    axes = _Axes(across[-1], up[0], up[-1])
    parts = [*_frame(axes, across, up, title), *_guides(axes, points)]
    for key, colour in (("j", _J), ("f", _F)):
        parts += _line(axes, points, key, colour)
        parts += _line(axes, seeds, key, colour, dashed=True)
        if reference is not None and (value := getattr(reference, key)) is not None:
            x, y = axes.x(reference.seconds), axes.y(value)
            diamond = f"M{x:.1f} {y - 6:.1f} l6 6 -6 6 -6 -6z"
            parts.append(f'<path d="{diamond}" fill="#ffffff" stroke="{colour}" stroke-width="2"/>')
            parts.append(_text(x + 10, y + 4, f"{reference.name} {key.upper()}", colour))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n<title>{escape(title)}</title>\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """About so many round numbers in even steps that hold ``low`` and ``high`` between them."""
    rough = max((high - low) / count, 1e-6)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


@dataclass(frozen=True)
class _Axes:
    """From numbers to places in the picture."""

    most_seconds: float
    low: float
    high: float

    def x(self, seconds: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * seconds / self.most_seconds

    def y(self, value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - self.low) / (self.high - self.low)


def _text(x: float, y: float, text: str, colour: str = "#333333", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'


def _frame(axes: _Axes, across: Sequence[float], up: Sequence[float], title: str) -> Iterator[str]:
    """Grid, numbers, what the axes are, and the title."""
    for value in up:
        y = axes.y(value)
        yield f'<path d="M{_LEFT} {y:.1f} H{_RIGHT}" stroke="#dddddd"/>'
        yield _text(_LEFT - 8, y + 4, f"{value:g}", anchor="end")
    for seconds in across:
        x = axes.x(seconds)
        yield f'<path d="M{x:.1f} {_BOTTOM} v5" stroke="#333333"/>'
        yield _text(x, _BOTTOM + 20, f"{seconds:g}", anchor="middle")
    yield f'<path d="M{_LEFT} {_TOP} V{_BOTTOM} H{_RIGHT}" fill="none" stroke="#333333"/>'
    yield _text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, "seconds a frame", anchor="middle")
    yield _text(_LEFT, 18, title)
    yield _text(_RIGHT - 90, 18, "J (region)", _J, "end")
    yield _text(_RIGHT, 18, "F (boundary)", _F, "end")


def _guides(axes: _Axes, points: Sequence[Point]) -> Iterator[str]:
    """A dotted line down from each point's name; names of neighbours stand at different heights."""
    for k, point in enumerate(points):
        x, y = axes.x(point.seconds), _TOP - 4 - 13 * (k % 2)
        yield f'<path d="M{x:.1f} {y + 3} V{_BOTTOM}" stroke="#aaaaaa" stroke-dasharray="2 3"/>'
        yield _text(x, y, point.name, anchor="middle")


def _line(axes: _Axes, points: Sequence[Point], key: str, colour: str, *, dashed: bool = False) -> Iterator[str]:
    places = [(axes.x(point.seconds), axes.y(value)) for point in points if (value := getattr(point, key)) is not None]
    if places:
        path = " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        if dashed:
            yield _text(places[-1][0] + 8, places[-1][1] + 4, f"seeds {key.upper()}", colour)
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 if dashed else 4}" fill="{colour}"/>'
