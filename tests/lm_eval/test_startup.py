"""What makes our models known to lm-eval, installed in an environment of its own, with lm-evals of three kinds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")
ROOT = Path(__file__).resolve().parents[2]
SHOWN = "import lm_eval.models, lm_eval.api.registry as r; print(lm_eval.__file__); print(sorted(r.MODEL_REGISTRY))"
LOADED = "import sys; print(sorted({'lm_eval', 'harness', 'importlib.util', 'typing'} & set(sys.modules)))"
# A checkout whose registry is a plain dictionary, as in releases up to 0.4.9 and in s1's fork.
OLD = {
    "lm_eval/__init__.py": "",
    "lm_eval/__main__.py": "import lm_eval.models\nfrom lm_eval.api import registry\nprint('the checkout')\n"
    "print(sorted(registry.MODEL_REGISTRY))\n",
    "lm_eval/api/__init__.py": "",
    "lm_eval/api/registry.py": "MODEL_REGISTRY = {}\n",
    "lm_eval/models/__init__.py": "from lm_eval.api.registry import MODEL_REGISTRY\nMODEL_REGISTRY['own'] = object\n",
}
# One with a registry of its own, its models registered only where none is, as since 0.4.10.
NEW = OLD | {
    "lm_eval/api/registry.py": "class Registry(dict):\n"
    "    def register(self, name, target):\n        self[name] = target\n\n\n"
    "model_registry = MODEL_REGISTRY = Registry()\n",
    "lm_eval/models/__init__.py": "from lm_eval.api.registry import model_registry\n"
    "if not model_registry:\n    model_registry.register('own', target='x:y')\n",
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with this one's packages, and the two files beside them as an installation puts them."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "packages.pth").write_text(f"{packages}\n{ROOT}\n")
    (site / "s1_harness_lm_eval.pth").write_bytes((ROOT / "s1_harness_lm_eval.pth").read_bytes())
    (site / "_s1_harness_lm_eval.py").write_bytes((ROOT / "harness" / "lm_eval" / "startup.py").read_bytes())
    return folder / "bin" / "python"


def checkout(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def said(python: Path, *arguments: str, cwd: Path | None = None) -> list[str]:
    call = subprocess.run(
        [str(python), *arguments], cwd=cwd, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=600
    )
    assert call.returncode == 0, call.stderr
    return call.stdout.splitlines()


def test_the_installed_lm_eval_knows_the_models_once_its_own_are_registered(python: Path) -> None:
    file, names = said(python, "-c", SHOWN)
    assert "site-packages" in file and "'s1-vllm'" in names and "'s1-hf'" in names and "'dummy'" in names
    shown = said(python, "-c", "from lm_eval.api.registry import get_model; print(get_model('s1-hf').__name__)")
    assert shown == ["S1HFModel"]


def test_the_lm_eval_of_the_users_folder_is_the_one_that_runs(python: Path, tmp_path: Path) -> None:
    new = checkout(tmp_path / "new", NEW)
    assert said(python, "-m", "lm_eval", cwd=new) == ["the checkout", "['own', 's1-hf', 's1-vllm']"]


def test_releases_without_a_registry_are_left_as_they_are(python: Path, tmp_path: Path) -> None:
    old = checkout(tmp_path / "old", OLD)
    assert said(python, "-m", "lm_eval", cwd=old) == ["the checkout", "['own']"]


def test_a_command_with_lm_eval_in_its_words_loads_nothing(python: Path, tmp_path: Path) -> None:
    script = tmp_path / "lm_eval"
    script.write_text(LOADED)
    assert said(python, str(script), "lm_eval") == ["[]"]
    assert said(python, "-c", LOADED, "lm_eval") == ["[]"]


def test_a_folder_called_harness_where_lm_eval_is_called_does_no_harm(python: Path, tmp_path: Path) -> None:
    checkout(tmp_path, {"harness/__init__.py": "raise RuntimeError('another harness')\n"})
    assert "'s1-vllm'" in said(python, "-c", SHOWN, cwd=tmp_path)[1]
