"""The chart: values over time as inline SVG, which stretches with the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

WIDTH, HEIGHT = 600, 100
"""The units of the drawing; it is stretched to the room that there is."""

NICE = (1, 2, 5)

Value = float | None


@dataclass(frozen=True)
class ChartSeries:
    """One row of values, None for a missing one; *look* is a class of the style sheet."""

    name: str
    values: Sequence[Value]
    look: str


@dataclass(frozen=True)
class Chart:
    """Values of several series at the same dates: bars on top of each other, or lines."""

    title: str
    dates: Sequence[datetime]
    series: Sequence[ChartSeries]
    shown: Callable[[Value], str]
    """Returns a value as people read it."""

    is_stacked: bool = False

    @property
    def top(self) -> float:
        """The value at the upper edge: a round one."""
        sums = zip(*(each.values for each in self.series), strict=True)
        fold = sum if self.is_stacked else max
        return nice(max((fold(value or 0 for value in each) for each in sums), default=0))

    @property
    def summary(self) -> str:
        """The chart in words: the last and the highest value of each series."""
        return "; ".join(self._words(each) for each in self.series)

    @property
    def drawing(self) -> Markup:
        """The shapes of the drawing."""
        shapes = self._bars() if self.is_stacked else self._lines()
        return Markup("").join([*shapes, *self._tips()])

    def last(self, series: ChartSeries) -> str:
        """Return the last value of *series*."""
        return self.shown(series.values[-1])

    def _words(self, series: ChartSeries) -> str:
        known = [value for value in series.values if value is not None]
        if not any(known):
            return f"{series.name}: none"
        return f"{series.name}: {self.last(series)} now, {self.shown(max(known))} at most"

    def _bars(self) -> list[Markup]:
        bases, bars = [0.0] * len(self.dates), []
        for series in self.series:
            for number, value in enumerate(series.values):
                if value:
                    bars.append(self._bar(series.look, number, bases[number], value))
                    bases[number] += value
        return bars

    def _bar(self, look: str, number: int, base: float, value: float) -> Markup:
        width, scale = WIDTH / len(self.dates), HEIGHT / self.top
        place = Markup('x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"').format(
            number * width, HEIGHT - (base + value) * scale, width * 0.86, value * scale
        )
        return Markup('<rect class="{}" {}/>').format(look, place)

    def _lines(self) -> list[Markup]:
        return [
            Markup('<path class="{}" d="{}"/>').format(series.look, self._path(series.values))
            for series in self.series
        ]

    def _path(self, values: Sequence[Value]) -> str:
        width, parts, is_down = WIDTH / len(values), [], False
        for number, value in enumerate(values):
            if value is None:
                is_down = False
                continue
            y = HEIGHT - value / self.top * HEIGHT
            # A step for each slot: a slot that stands alone is seen, too.
            parts.append(
                f"{'L' if is_down else 'M'}{number * width:.1f} {y:.1f}H{(number + 1) * width:.1f}"
            )
            is_down = True
        return "".join(parts)

    def _tips(self) -> list[Markup]:
        width = WIDTH / len(self.dates)
        tip = Markup(
            '<rect class="tip" x="{:.2f}" y="0" width="{:.2f}" height="{}"><title>{}</title></rect>'
        )
        return [
            tip.format(number * width, width, HEIGHT, self._tip(number))
            for number in range(len(self.dates))
            if any(each.values[number] for each in self.series)
        ]

    def _tip(self, number: int) -> str:
        values = (f"{each.name} {self.shown(each.values[number])}" for each in self.series)
        return f"{self.dates[number]:%a %H:%M} UTC: {', '.join(values)}"


def nice(value: float) -> float:
    """Return the least round number that is not below *value*: 1, 2 or 5, times a power of ten."""
    if value <= 0:
        return 1.0
    size = 1.0
    while size * 10 <= value:
        size *= 10
    while size > value:
        size /= 10
    return next(step * size for step in (*NICE, 10) if step * size >= value * (1 - 1e-9))
