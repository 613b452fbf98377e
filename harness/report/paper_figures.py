"""The paper's Figures 1 and 6 (AIME24) from its published numbers, with the intervals that it does not print."""

from __future__ import annotations

import numpy as np

from harness.analysis.intervals import share_interval
from harness.report.canvas import PAGE, Canvas, Drawn, Form, look
from harness.report.paper import read
from harness.report.plots import line_with_band, tip_text, token_axis

PANELS = {"Figure 1: budget forcing": ("BF",), "Figure 6: rejection sampling": ("RS",)}


def paper_figures(form: Form = PAGE) -> list[Drawn]:
    """Accuracy over mean thinking tokens on AIME24, 30 problems; a point per run of the paper."""
    rows = read("sweeps_aime24")
    with look(form):
        canvas = Canvas("paper_figures_1_and_6", list(PANELS), form)
        for methods, axes in zip(PANELS.values(), canvas.axes, strict=True):
            for method in methods:
                points = []
                for row in (row for row in rows if row["method"] == method):
                    scores = np.arange(int(row["num_problems"])) < int(row["num_correct"])
                    points.append(
                        (float(row["thinking_tokens"]), share_interval(scores.astype(float)), row["limit_tokens"])
                    )
                line_with_band(canvas, axes, method, [(tokens, figure) for tokens, figure, _ in points])
                for tokens, figure, limit in points:
                    canvas.point(
                        axes, method, tokens, 100 * figure.mean, tip_text(f"{method}, limit {limit}", figure, tokens)
                    )
                places = [(tokens, 100 * figure.mean) for tokens, figure, _ in points]
                canvas.notes(axes, method, places, [limit for _, _, limit in points])
            token_axis(axes, "mean thinking tokens")
            axes.set_ylabel("accuracy, %")
        caption = "s1-32B, from the numbers that the paper (arXiv 2501.19393) publishes. Bands: 95 % intervals, ours."
        return [canvas.finish("Sequential scaling and rejection sampling", caption, "AIME24: n = 30 problems")]
