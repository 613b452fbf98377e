"""Makes our models known to lm-eval, when and only when `lm_eval.models` is imported, from wherever that comes.

lm-eval up to 0.4.13 reads no entry points. An installation holds this file twice: here, and as the module
`_s1_harness_lm_eval`, which `s1_harness_lm_eval.pth` imports at every start of Python. So it imports nothing, neither
lm-eval (the checkout of another one may be about to come first on the path) nor `harness` (likewise), and a process
that never comes to lm-eval pays one comparison per import.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

MODELS = {"s1-vllm": "harness.lm_eval.plugin:S1Model", "s1-hf": "harness.lm_eval.plugin:S1HFModel"}
WATCHED = "lm_eval.models"


def register() -> None:
    """Put the models into the registry of this process's lm-eval; releases without one are left as they are."""
    import lm_eval.models  # noqa: F401  first: lm-eval registers its own only where none is registered

    registry = getattr(sys.modules.get("lm_eval.api.registry"), "model_registry", None)
    for name, target in MODELS.items():
        if registry is not None and name not in registry:
            registry.register(name, target=target)


class Finder:
    """Finds `lm_eval.models` where everybody else finds it, and has `register` called behind it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder.find_spec`."""
        if name != WATCHED:
            return None
        others = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def run_and_register(module: ModuleType) -> None:
            run(module)
            register()

        spec.loader.exec_module = run_and_register  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Put the finder before the others, once."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
