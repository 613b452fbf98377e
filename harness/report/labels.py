"""Small texts beside points, each where it hides the least: of other texts, points, curves, and the panel's edge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

POINTS_SIZE = 5.5
SAME = 3.5  # points of print: two places that are nearer to each other share one text
RADIUS = 3.0  # of a marker, in points of print
NEAR, FAR = 4.0, 9.0  # from the middle of a marker to its text
SIDES = ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))  # the first is best
STEP = 1.5  # points of print between the places at which a curve is looked at


@dataclass(frozen=True)
class Label:
    """The text of one point of a series."""

    axes: Axes
    series: str
    x: float
    y: float
    text: str


def put(drawing: Drawing, labels: Sequence[Label], colour: str, mark: Callable[[Any, str], None]) -> list[Any]:
    """Write `labels` into the panels of `drawing`, whose limits are final.

    Args:
        drawing: the figure.
        labels: in the order of their curves; those of a series that lie on one another are joined with commas.
        colour: of the texts.
        mark: called with each text and its series.

    Returns: the texts.
    """
    if not labels:
        return []
    drawing.draw_without_rendering()  # what the layout leaves to the panels
    unit = drawing.dpi / 72
    done = []
    for axes in dict.fromkeys(label.axes for label in labels):
        own = [label for label in labels if label.axes is axes]
        places = axes.transData.transform([(label.x, label.y) for label in own]) / unit
        panel = np.array(axes.get_window_extent().extents) / unit
        (markers, curves), taken = _drawn(axes, unit), list[Any]()
        for label, place in _joined(own, places):
            text = axes.annotate(
                label.text, (label.x, label.y), (0, 0), textcoords="offset points", fontsize=POINTS_SIZE, color=colour
            )
            size = np.array(text.get_window_extent().size) / unit
            fits = [_box(place, size, panel, side, far) for far, side in product((NEAR, FAR), SIDES)]
            others = markers[np.hypot(*(markers - place).T) > SAME]
            costs = [
                _cost(box, panel, markers, curves, taken) + _astray(box, place, others) + 0.02 * rank
                for rank, (box, _) in enumerate(fits)
            ]
            box, offset = fits[int(np.argmin(costs))]
            taken.append(box)
            text.set_position(offset)
            mark(text, label.series)
            done.append(text)
    return done


def _joined(labels: Sequence[Label], places: np.ndarray) -> Iterator[tuple[Label, np.ndarray]]:
    """Labels with their places; those of one series that nearly coincide with the first of them in one."""
    at = 0
    while at < len(labels):
        end = at + 1
        while (
            end < len(labels)
            and labels[end].series == labels[at].series
            and np.hypot(*(places[end] - places[at])) < SAME
        ):
            end += 1
        first = labels[at]
        text = ", ".join(dict.fromkeys(label.text for label in labels[at:end]))
        yield Label(first.axes, first.series, first.x, first.y, text), places[at]
        at = end


def _drawn(axes: Axes, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Places of all markers, and places along all curves, in points of print."""
    markers, curves = [np.empty((0, 2))], [np.empty((0, 2))]
    for line in axes.get_lines():
        found = line.get_transform().transform(np.column_stack(line.get_data(orig=False))) / unit
        if len(found) == 1:
            markers.append(found)
        for a, b in pairwise(found):
            curves.append(a + np.linspace(0, 1, int(np.hypot(*(b - a)) / STEP) + 2)[:, None] * (b - a))
    return np.concatenate(markers), np.concatenate(curves)


def _box(place: Any, size: Any, panel: Any, side: tuple[int, int], far: float) -> tuple[Any, tuple[float, float]]:
    """(x0, y0, x1, y1) of a text on one side of a place, and the offset of its lower left corner."""
    low = place + (far if 0 in side else 0.7 * far) * np.array(side) - size * (1 - np.array(side)) / 2
    within = np.maximum(np.minimum(low, panel[2:] - size), panel[:2])  # above or below it may slide along an edge
    low = np.where(np.array(side) == 0, within, low)
    return np.concatenate([low, low + size]), (float(low[0] - place[0]), float(low[1] - place[1]))


def _cost(box: Any, panel: Any, markers: np.ndarray, curves: np.ndarray, taken: Sequence[Any]) -> float:
    """What a text in `box` would hide, and how far it would leave its panel."""
    cost = 2.0 * np.sum(_inside(markers, box, RADIUS)) + 0.15 * np.sum(_inside(curves, box, 0.5))
    cost += 4.0 * sum((np.minimum(box[2:], one[2:]) > np.maximum(box[:2], one[:2])).all() for one in taken)
    outside = np.maximum(panel[:2] - box[:2], 0).sum() + np.maximum(box[2:] - panel[2:], 0).sum()
    return float(cost + outside)


def _astray(box: Any, place: Any, others: np.ndarray) -> float:
    """Whether a text in `box` would be taken for that of another point."""
    own, *rest = (np.hypot(*np.maximum(np.maximum(box[:2] - one, one - box[2:]), 0)) for one in (place, *others))
    return 3.0 * float(min(rest, default=np.inf) < own + 2 * NEAR)


def _inside(places: np.ndarray, box: np.ndarray, margin: float) -> Any:
    return ((places > box[:2] - margin) & (places < box[2:] + margin)).all(axis=-1)
