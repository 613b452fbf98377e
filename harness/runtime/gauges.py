"""A study's progress as Ray metrics. Prometheus reads them beside Ray's own; docs/cluster/grafana.json shows them."""

from __future__ import annotations

from typing import Any

PREFIX = "s1_harness_"
TAGS = ("study", "model", "engine")
GAUGES = {  # name -> what it counts; Prometheus has them as ray_s1_harness_NAME
    "samples_done": "samples of the model that are stored",
    "samples_planned": "samples of the model in all",
    "tokens_per_second": "tokens sampled per second, unfinished thoughts included, over the model's evaluation so far",
    "seconds_left": "forecast of what the model's evaluation still takes",
}


class Gauges:
    """The gauges of one model of a study. Ray sends them on every few seconds; setting one costs microseconds."""

    def __init__(self, study: str, model: str, engine: str) -> None:
        self.tags = dict(zip(TAGS, (study, model, engine), strict=True))
        self.gauges: dict[str, Any] = {}  # made when Ray is there

    def set(self, **values: float | None) -> None:
        """Set gauges by their names; None leaves one as it is."""
        from ray.util.metrics import Gauge

        for name, value in values.items():
            if value is not None:
                if name not in self.gauges:
                    self.gauges[name] = Gauge(PREFIX + name, description=GAUGES[name], tag_keys=TAGS)
                self.gauges[name].set(value, tags=self.tags)
