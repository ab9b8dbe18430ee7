"""Figures as pictures: plain SVG, readable on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from msgspec import Struct

#: Colours that can be told apart by those who see no red or no green, too.
COLOURS: Mapping[str, str] = {
    "strict": "#0072b2",
    "none": "#56b4e9",
    "nanio": "#e69f00",
    "rclone": "#cc79a7",
    "nginx": "#999999",
    "limit": "#666666",
}

COLUMNS, WIDTH, GAP = 2, 520, 24
LINE, TITLE = 19, 26
NAMES, NUMBERS = 265, 95


class Bar(Struct, frozen=True):
    """A figure.

    :ivar key: of the server.
    :ivar text: what stands after it.
    """

    key: str
    name: str
    value: float
    text: str


class Panel(Struct, frozen=True):
    """Bars of one kind."""

    title: str
    bars: Sequence[Bar]

    @property
    def height(self) -> int:
        """Of the panel."""
        return TITLE + LINE * len(self.bars) + GAP


def bars(panels: Sequence[Panel]) -> str:
    """Panels in columns."""
    rows = [panels[at : at + COLUMNS] for at in range(0, len(panels), COLUMNS)]
    body, top = [], 0
    for row in rows:
        for column, panel in enumerate(row):
            body.append(f'<g transform="translate({column * (WIDTH + GAP)},{top})">')
            body += _panel(panel)
            body.append("</g>")
        top += max(panel.height for panel in row)
    return _svg(COLUMNS * (WIDTH + GAP), top, body)


def _panel(panel: Panel) -> Iterator[str]:
    yield f'<text x="0" y="16" class="title">{escape(panel.title)}</text>'
    most = max((bar.value for bar in panel.bars), default=1.0)
    room = WIDTH - NAMES - NUMBERS
    for number, bar in enumerate(panel.bars):
        y = TITLE + LINE * number
        length = max(1.0, room * bar.value / most)
        yield f'<text x="{NAMES - 8}" y="{y + 12}" text-anchor="end">{escape(bar.name)}</text>'
        yield f'<rect x="{NAMES}" y="{y}" width="{length:.1f}" height="{LINE - 5}" fill="{COLOURS[bar.key]}"/>'
        yield f'<text x="{NAMES + length + 6:.1f}" y="{y + 12}">{escape(bar.text)}</text>'


class Line(Struct, frozen=True):
    """A curve: points in order of x."""

    key: str
    name: str
    points: Sequence[tuple[float, float]]


class Chart(Struct, frozen=True):
    """Curves over axes that are both logarithmic."""

    title: str
    lines: Sequence[Line]


CHART_HEIGHT = 210
LEFT, BOTTOM = 60, 30


def curves(charts: Sequence[Chart]) -> str:
    """Charts in columns, and one legend."""
    body = []
    for number, chart in enumerate(charts):
        x, y = number % COLUMNS * (WIDTH + GAP), number // COLUMNS * (CHART_HEIGHT + GAP)
        body.append(f'<g transform="translate({x},{y})">')
        body += _chart(chart)
        body.append("</g>")
    height = -(-len(charts) // COLUMNS) * (CHART_HEIGHT + GAP)
    names = {line.key: line.name for chart in charts for line in chart.lines}
    for number, (key, name) in enumerate(names.items()):
        x = LEFT + number * 170
        body.append(f'<rect x="{x}" y="{height}" width="14" height="12" fill="{COLOURS[key]}"/>')
        body.append(f'<text x="{x + 20}" y="{height + 11}">{escape(name)}</text>')
    return _svg(COLUMNS * (WIDTH + GAP), height + 24, body)


def _chart(chart: Chart) -> Iterator[str]:
    yield f'<text x="0" y="16" class="title">{escape(chart.title)}</text>'
    every = [point for line in chart.lines for point in line.points]
    if not every:
        return
    low, high = (10.0 ** step(math.log10(edge)) for step, edge in _edges([y for _, y in every]))
    left, right = min(x for x, _ in every), max(x for x, _ in every)

    def at(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / left) / math.log(right / left) if right > left else 0.0
        up = math.log(y / low) / math.log(high / low) if high > low else 0.0
        return LEFT + across * (WIDTH - LEFT - 20), CHART_HEIGHT - BOTTOM - up * (CHART_HEIGHT - BOTTOM - TITLE - 8)

    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        _, y = at(left, 10.0**power)
        yield f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} ms</text>'
    for value in sorted({x for x, _ in every}):
        x, _ = at(value, low)
        yield f'<text x="{x:.1f}" y="{CHART_HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:,.0f}</text>'
    for line in chart.lines:
        spots = " ".join("{:.1f},{:.1f}".format(*at(*point)) for point in line.points)
        colour = COLOURS[line.key]
        yield f'<polyline points="{spots}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for point in line.points:
            x, y = at(*point)
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def _edges(values: Sequence[float]) -> Sequence[tuple[object, float]]:
    return ((math.floor, min(values)), (math.ceil, max(values)))


def _svg(width: int, height: int, body: Sequence[str]) -> str:
    style = (
        "text{font:12px sans-serif;fill:#777}.title{font-weight:bold;font-size:13px}"
        ".grid{stroke:#999;stroke-opacity:.35}"
    )
    lines = "\n".join(body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f"<style>{style}</style>\n{lines}\n</svg>\n"
    )
