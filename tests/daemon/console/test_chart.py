from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from defusedxml import ElementTree

from daemon.console.chart import HEIGHT, WIDTH, Chart, ChartSeries, nice
from daemon.console.rendering import duration, number

DATES = [datetime(2026, 11, 30, 12, minute, tzinfo=UTC) for minute in range(4)]


def shapes(chart, tag):
    drawing = ElementTree.fromstring(f"<svg>{chart.drawing}</svg>")
    return [each for each in drawing.iter(tag) if each.get("class") != "tip"]


def test_bars_stand_on_each_other_and_stay_inside():
    finished = ChartSeries("finished", [4, 0, 1, 0], "good")
    chart = Chart(
        "Ended", DATES, [finished, ChartSeries("failed", [6, 0, 0, 0], "bad")], number, True
    )
    assert chart.top == 10
    places = [[float(bar.get(name)) for name in ("y", "height")] for bar in shapes(chart, "rect")]
    assert places == [[60, 40], [90, 10], [0, 60]]


def test_a_line_is_broken_where_there_is_no_value():
    chart = Chart("Took", DATES, [ChartSeries("p50", [1.0, None, 2.0, 2.0], "busy")], duration)
    (line,) = shapes(chart, "path")
    assert line.get("d") == f"M0.0 50.0H150.0M300.0 0.0H450.0L450.0 0.0H{WIDTH:.1f}"


def test_a_chart_says_in_words_what_it_shows():
    chart = Chart("Took", DATES, [ChartSeries("p50", [1.0, None, 3.0, 2.0], "busy")], duration)
    assert chart.summary == "p50: 2 s now, 3 s at most"
    assert (
        Chart("Took", DATES, [ChartSeries("p50", [None] * 4, "busy")], duration).summary
        == "p50: none"
    )


def test_each_slot_with_values_tells_them():
    chart = Chart("Ended", DATES, [ChartSeries("finished", [4, 0, 1, 0], "good")], number, True)
    tips = [
        each.text for each in ElementTree.fromstring(f"<svg>{chart.drawing}</svg>").iter("title")
    ]
    assert tips == ["Mon 12:00 UTC: finished 4", "Mon 12:02 UTC: finished 1"]


def test_an_empty_chart_has_a_scale():
    chart = Chart("Ended", DATES, [ChartSeries("finished", [0] * 4, "good")], number, True)
    assert (chart.top, chart.drawing, HEIGHT) == (1, "", 100)


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.03, 0.05), (1, 1), (3, 5), (7, 10), (10, 10), (101, 200)]
)
def test_the_scale_ends_at_a_round_number(value, top):
    assert nice(value) == pytest.approx(top)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.00001, "< 1 ms"),
        (0.25, "250 ms"),
        (2, "2 s"),
        (2.14, "2.1 s"),
        (59.6, "60 s"),
        (240, "4 min"),
        (timedelta(hours=2).total_seconds(), "2 h"),
        (timedelta(days=3).total_seconds(), "3 d"),
    ],
)
def test_a_duration_has_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text
