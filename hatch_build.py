"""Puts s1_harness_lm_eval.pth and what it imports beside the package, in wheels and in editable installs."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LmEvalHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        where = "force_include_editable" if version == "editable" else "force_include"
        build_data[where]["s1_harness_lm_eval.pth"] = "s1_harness_lm_eval.pth"
        build_data[where]["harness/lm_eval/startup.py"] = "_s1_harness_lm_eval.py"
