"""The inputs that `make fuzz` has kept, fed again: they reach most code, and some once broke it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import fuzz


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_kept_inputs_hold(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    inputs = fuzz.corpus()[target]
    assert inputs
    for data in inputs:
        fuzz.TARGETS[target](data)
