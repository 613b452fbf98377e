"""What every figure shares: size and fonts, how a series looks, and the files it is written to."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import accumulate, count, pairwise
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from harness.console import visible
from harness.errors import UserError
from harness.report import labels, style_file
from harness.report.labels import Label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.legend import Legend
    from matplotlib.text import Text

log = logging.getLogger(__name__)

# Told apart by people with any colour vision: a test simulates it, on all pairs, also of the dark page's.
COLOURS = ("#ff2b46", "#6742a2", "#41b8a5", "#eb84ff", "#ff8f03", "#065a63", "#a16cab", "#8fb980", "#7f4900", "#3261f4")
DARK = tuple(
    "#" + "".join(f"{round(0.85 * int(c[i : i + 2], 16) + 0.15 * 255):02x}" for i in (1, 3, 5)) for c in COLOURS
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
# The same shapes cut out of a square, for the page's switches.
OUTLINES = (
    "circle()",
    "inset(8%)",
    "polygon(50% 5%,100% 95%,0 95%)",
    "polygon(50% 0,100% 50%,50% 100%,0 50%)",
    "polygon(0 5%,100% 5%,50% 95%)",
    "polygon(33% 0,67% 0,67% 33%,100% 33%,100% 67%,67% 67%,67% 100%,33% 100%,33% 67%,0 67%,0 33%,33% 33%)",
    "polygon(25% 0,50% 25%,75% 0,100% 25%,75% 50%,100% 75%,75% 100%,50% 75%,25% 100%,0 75%,25% 50%,0 25%)",
    "polygon(95% 0,95% 100%,5% 50%)",
    "polygon(5% 0,95% 50%,5% 100%)",
    "polygon(50% 0,100% 38%,81% 98%,19% 98%,0 38%)",
)
DASHES: tuple[Any, ...] = (
    "-",
    (0, (6, 2)),
    (0, (1.5, 1.5)),
    (0, (6, 2, 1.5, 2)),
    (0, (3, 1.5)),
    (0, (8, 2, 1.5, 2, 1.5, 2)),
    (0, (10, 3)),
    (0, (1.5, 3)),
    (0, (4, 1, 1, 1)),
    (0, (3, 3)),
)
FIXED = {"s1k": 0, "full": 1, "diverse": 2, "longest": 3, "random": 4, "base": 5}
INK, LINE = "#22262b", "#d5d9de"  # unmistakable in the SVG, so that the page can put its own colours there
PRINT_DPI = 300
WIDTHS = {"single": 3.3, "double": 6.9}  # inches: one and two columns of a paper
TALLEST, LEAST = 8.6, 1.5  # inches: a page of a paper, and the height that a panel needs
MOST_LEGEND = 0.3  # of a figure's height
BESIDE = 0.45  # inches: what stands to the left of a panel
METHOD = "95 % intervals over problems: score intervals for shares, in closed form."
# Points at the size of print: a figure goes into a paper as it is, not scaled.
SIZES: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # text stays text
    "text.parse_math": False,  # a "$" in a name is one
}


@dataclass(frozen=True)
class Form:
    """How a figure is written.

    Attributes:
        width: inches; None: by the number of panels, for a screen.
        formats: of the files.
        style: a matplotlib style file, for fonts and lines.
        dpi: of PNG files.
    """

    width: float | None = None
    formats: tuple[str, ...] = ("svg", "png")
    style: Path | None = None
    dpi: int = 160


PAGE = Form()
FORMATS = ("pdf", "svg", "png")


@dataclass(frozen=True)
class Drawn:
    """One figure: its file name, what it shows, the names that can be switched on and off, and the SVG for the page."""

    name: str
    title: str
    caption: str
    series: list[tuple[str, Key]]
    svg: str
    files: dict[str, bytes]  # that stand alone, by name


@dataclass(frozen=True)
class Style:
    """How a series looks: told apart by each of the three alone."""

    colour: str
    marker: str
    dash: Any


@dataclass(frozen=True)
class Key:
    """What a legend shows of a series: what is drawn of it, as it is drawn. Lines have markers where points do."""

    id: str  # in the page's SVG
    style: Style
    line: bool
    marker: bool  # else, and without a line, bars


@contextmanager
def look(form: Form) -> Iterator[None]:
    """The fonts and lines of `form` while figures are drawn."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    with (
        plt.rc_context(SIZES),
        plt.style.context(str(form.style) if form.style else {}),
        warnings.catch_warnings(record=True) as warned,
    ):
        yield
    lacking = [one for one in warned if "missing from font" in str(one.message)]  # a warning per letter and drawing
    if lacking:
        log.warning("figures: letters of some names are not in the font; give one that has them (--style, font.family)")
    for one in warned:
        if one not in lacking:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def form_of(width: str, formats: Sequence[str], style: Path | None) -> Form:
    """A form from the command line's words. Raises `UserError` for a width or a style file that cannot be read."""
    inches = WIDTHS.get(width, 0.0)
    try:
        inches = inches or float(width)
    except ValueError:
        inches = 0.0
    if not 1 <= inches <= 40:
        raise UserError(
            f"--width {width}: give single ({WIDTHS['single']} in), double ({WIDTHS['double']} in), or inches"
        )
    if style is not None:
        style_file.check(style)
    return Form(inches, tuple(dict.fromkeys(formats)) or ("pdf", "svg"), style, PRINT_DPI)


def on_page(colour: str) -> str:
    """A series' colour on the page, where the theme chooses it (`sheet`)."""
    return f"var(--series-{COLOURS.index(colour)})"


def switch(key: Key) -> tuple[str, str]:
    """The CSS of a series' marker (of its bars: a square), and of the line below it; "" where there is no line."""
    colour = on_page(key.style.colour)
    shape = f";clip-path:{OUTLINES[MARKERS.index(key.style.marker)]}" if key.marker else ""
    return f"background:{colour}{shape}", _dashes(colour, key.style.dash) if key.line else ""


def _dashes(colour: str, dash: Any) -> str:
    """A line of these dashes as the CSS of a background."""
    lengths = (1.0,) if dash == "-" else tuple(SIZES["lines.linewidth"] * length for length in dash[1])
    ends = [0.0, *accumulate(lengths)]
    stops = ",".join(
        f"{colour if at % 2 == 0 else 'transparent'} {start:.1f}px {end:.1f}px"
        for at, (start, end) in enumerate(pairwise(ends))
    )
    return f"background:repeating-linear-gradient(90deg,{stops}) 50%/100% 2px no-repeat"


def sheet() -> str:
    """The series' colours as CSS, lighter in the dark theme."""
    light, dark = ("".join(f"--series-{at}: {one}; " for at, one in enumerate(of)) for of in (COLOURS, DARK))
    return f':root {{ {light}}}\n@media screen {{ :root[data-theme="dark"] {{ {dark}}} }}\n'


class Canvas:
    """Collects what a figure needs beyond its drawing: explanations of points and the looks of series."""

    def __init__(self, name: str, panels: Sequence[str], form: Form = PAGE) -> None:
        import matplotlib.pyplot as plt

        across = 3 if len(panels) == 3 else min(2, len(panels)) or 1
        width = form.width or (5.2 if across == 1 else 7.6)
        across = min(across, max(1, int(width / 2.2)))
        rows = -(-len(panels) // across)
        self.name, self.form, self.panels = name, form, list(panels)
        self.tips: list[str] = []
        self._tips_of: list[list[str]] = [[] for _ in panels]  # the same, panel by panel
        self.series: dict[str, Style] = {}
        self._ids: dict[str, str] = {}
        self._drawn: set[tuple[str, str]] = set()  # (series, "line" or "marker")
        self.labels: list[Label] = []
        self.across = across
        height = rows * min(3.3, 0.78 * width / across + 0.5)
        if form.width and rows > 1:
            height = min(height, max(TALLEST, LEAST * rows))
        self.drawing: Drawing = plt.figure(figsize=(width, height), layout="constrained")
        self.axes = [self.drawing.add_subplot(rows, across, i + 1) for i in range(len(panels))]
        for axes, title in zip(self.axes, panels, strict=True):
            self.title(axes, title)
            axes.grid(color=LINE, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.tick_params(color=LINE)
            axes.spines[["top", "right"]].set_visible(False)
            axes.patch.set_alpha(0)

    def title(self, axes: Axes, text: str) -> None:
        """What stands over a panel, in as many lines as it takes."""
        self.panels[self.axes.index(axes)] = text
        room = (self.drawing.get_figwidth() / self.across - BESIDE) * self.drawing.dpi
        _fold(axes.set_title(visible(text), color=INK, loc="left"), room)

    def style(self, series: str) -> Style:
        """The look of a series; recipes keep theirs over all figures, and no two of a figure share one.

        Beyond ten they share colours, with other markers and dashes.
        """
        if (more := len(self.series) - len(COLOURS)) >= 0 and series not in self.series:
            at, other = more % len(COLOURS), (more + 1 + more // len(COLOURS)) % len(COLOURS)
            self.series[series] = Style(COLOURS[at], MARKERS[other], DASHES[other])
        if series not in self.series:
            taken = {COLOURS.index(style.colour) for style in self.series.values()}
            free = [at for at in range(len(COLOURS)) if at not in taken]
            kept = set(FIXED.values()) if len(free) > len(FIXED) else set()
            at = FIXED.get(series, -1)
            at = at if at in free else next((one for one in free if one not in kept), free[0])
            self.series[series] = Style(COLOURS[at], MARKERS[at], DASHES[at])
        return self.series[series]

    def point(self, axes: Axes, series: str, x: float, y: float, told: str, hollow: bool = False) -> None:
        """A point of a series that explains itself."""
        style = self.style(series)
        self._drawn.add((series, "marker"))
        face = "white" if hollow else style.colour
        drawn = axes.plot([x], [y], style.marker, color=style.colour, markerfacecolor=face, linestyle="")[0]
        self.tip(drawn, series, told)

    def line(self, axes: Axes, series: str, x: Sequence[float], y: Sequence[float]) -> None:
        """The curve of a series; points that lie on one another make none."""
        style = self.style(series)
        if len(set(zip(x, y, strict=True))) > 1:
            self._drawn.add((series, "line"))
        self.mark(axes.plot(x, y, color=style.colour, linestyle=style.dash, marker="")[0], series)

    def bar(self, axes: Axes, series: str, x: float, height: float, told: str, alpha: float = 1) -> None:
        """A bar of a series that explains itself."""
        self.tip(axes.bar([x], [height], color=self.style(series).colour, alpha=alpha)[0], series, told)

    def notes(self, axes: Axes, series: str, places: Sequence[tuple[float, float]], texts: Sequence[str]) -> None:
        """A small text at each point of a curve."""
        self.labels += [Label(axes, series, x, y, text) for (x, y), text in zip(places, texts, strict=True)]

    def tip(self, artist: Any, series: str, text: str) -> None:
        """Mark an artist as a point of a series that explains itself."""
        self.tips.append(visible(text))
        self._tips_of[self.axes.index(artist.axes)].append(self.tips[-1])
        artist.set_gid(f"{self.name}:{self._id(series)}:{len(self.tips) - 1}")

    def mark(self, artist: Any, series: str) -> None:
        """Give `artist` the id of `series`, by which the page's script finds it in the SVG."""
        artist.set_gid(f"{self.name}:{self._id(series)}:")

    def _id(self, series: str) -> str:
        """What the page calls a series: letters, digits and underscores, no two alike."""
        if series not in self._ids:
            plain, taken = slug(series), set(self._ids.values())
            tried = (plain if n == 1 else f"{plain}_{n}" for n in count(1))
            self._ids[series] = next(one for one in tried if one not in taken)
        return self._ids[series]

    def finish(self, title: str, caption: str, counts: str, method: str = METHOD) -> Drawn:
        """The figure: its SVG for the page, and the files that stand alone.

        Args:
            title: what it shows.
            caption: how to read it.
            counts: how many problems it rests on.
            method: how its intervals were made; empty where it has none.
        """
        import matplotlib.pyplot as plt

        low, high = min(a.get_ylim()[0] for a in self.axes), max(a.get_ylim()[1] for a in self.axes)
        for axes in self.axes:  # heights in two panels are compared
            axes.set_ylim(low, high)
        self._say_once()
        texts = labels.put(self.drawing, self.labels, INK, self.mark)
        buffer, files = io.StringIO(), {}
        with plt.rc_context({"svg.hashsalt": self.name}):
            self.drawing.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="none")
            self._add_legend()  # the files stand alone; on the page the names are switches
            for text in texts:
                text.remove()
            labels.put(self.drawing, self.labels, INK, self.mark)  # in the room that the legend leaves
            dates: dict[str, Any] = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}
            for kind in self.form.formats:
                file = io.BytesIO()
                self.drawing.savefig(file, format=kind, dpi=self.form.dpi, facecolor="white", metadata=dates[kind])
                files[f"{self.name}.{kind}"] = file.getvalue()
        plt.close(self.drawing)
        lines = [f"{title}. {caption} {counts}. {method}".rstrip(), "", *self._told()]
        files[f"{self.name}.txt"] = ("\n".join(lines) + "\n").encode()
        return Drawn(self.name, title, caption, self._keys(), self._for_page(buffer.getvalue()), files)

    def _told(self) -> list[str]:
        """Every point in words; where there are several panels, below the name of its own."""
        if len(self.panels) == 1:
            return self.tips
        panels = zip(self.panels, self._tips_of, strict=True)
        return [line for title, tips in panels for line in (visible(title), *(f"  {tip}" for tip in tips))]

    def _say_once(self) -> None:
        """What a panel says of its axes as its neighbour does is left to the neighbour."""
        for at, axes in enumerate(self.axes):
            if at % self.across and axes.get_ylabel() == self.axes[at - 1].get_ylabel():
                axes.set_ylabel("")
        for upper, lower in zip(self.axes, self.axes[self.across :], strict=False):
            if upper.get_xlabel() == lower.get_xlabel():
                upper.set_xlabel("")
            if _names(upper) and _names(upper) == _names(lower):
                upper.tick_params(labelbottom=False)

    def _keys(self) -> list[tuple[str, Key]]:
        """What each series shows."""
        return [
            (name, Key(self._id(name), style, (name, "line") in self._drawn, (name, "marker") in self._drawn))
            for name, style in self.series.items()
        ]

    def _add_legend(self) -> None:
        """What is drawn, as it is drawn; none where each panel is a series and named so."""
        keys = self._keys()
        lines = {str(line.get_label()): line for axes in self.axes for line in axes.get_lines()}
        named = [line for name, line in lines.items() if name[:1] not in ("", "_")]  # of no series
        handles = [_handle(name, key) for name, key in keys] + named
        if not handles or list(self.series) == self.panels:
            return
        for num_rows in range(1, len(handles) + 1):
            across = -(-len(handles) // num_rows)
            legend = self.drawing.legend(
                handles=[handles[at] for column in range(across) for at in range(column, len(handles), across)],
                loc="outside lower center",
                ncols=across,  # matplotlib fills columns; this way it is read by rows
                frameon=False,
                handlelength=4.6 if any(key.line for _, key in keys) else 1.6,  # two of the longest dash
                labelcolor=INK,
            )
            if across == 1 or legend.get_window_extent().width <= self.drawing.bbox.width:
                break
            legend.remove()
        self._make_room(legend)

    def _make_room(self, legend: Legend) -> None:
        """Names that are wider than the figure are broken into lines; for many lines the figure becomes higher."""
        room = self.drawing.bbox.width - (legend.get_window_extent().width - max(map(_width, legend.get_texts())))
        for text in legend.get_texts():
            _fold(text, room)
        excess = legend.get_window_extent().height / self.drawing.bbox.height - MOST_LEGEND
        if excess > 0:
            self.drawing.set_figheight(self.drawing.get_figheight() * (1 + excess))

    def _for_page(self, svg: str) -> str:
        themed = {INK: "currentColor", LINE: "var(--line)", "#ffffff": "var(--paper)"}
        svg = svg[svg.index("<svg") :]
        for colour, name in (themed | {colour: on_page(colour) for colour in COLOURS}).items():
            svg = svg.replace(colour, name)
        svg = re.sub(
            r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1), count=1
        )
        svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)

        def explained(match: re.Match[str]) -> str:
            series, tip = match.group(1), match.group(2)
            title = f"<title>{escape(self.tips[int(tip)])}</title>" if tip else ""
            return f'<g class="series{" tip" if tip else ""}" data-series="{series}">{title}'

        svg = re.sub(rf'<g id="{re.escape(self.name)}:([^":]*):(\d*)">', explained, svg)
        used = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))  # the others would stand on the page several times
        return re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)


def _fold(text: Text, room: float) -> None:
    """Break `text` into lines where it is wider than `room` pixels."""
    said = text.get_text()
    if _width(text) > room:
        text.set_text(fill(said, max(1, int(len(said) * room / _width(text)))))


def _width(text: Text) -> float:
    return float(text.get_window_extent().width)


def _handle(name: str, key: Key) -> Any:
    """A series' entry in a legend."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    style = key.style
    if not key.line and not key.marker:
        return Patch(color=style.colour, label=visible(name))
    dash, marker = style.dash if key.line else "", style.marker if key.marker else ""
    return Line2D([], [], color=style.colour, marker=marker, linestyle=dash, label=visible(name))


def _names(axes: Axes) -> list[str]:
    """The words below a panel whose steps have names."""
    from matplotlib.ticker import FixedLocator

    named = isinstance(axes.xaxis.get_major_locator(), FixedLocator)
    return [text.get_text() for text in axes.get_xticklabels()] if named else []


def slug(name: str) -> str:
    """`name` as a part of an SVG id: letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "_"
