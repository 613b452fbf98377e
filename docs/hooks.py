"""What the site adds to the pages: README.md as its front page, and links into the code as links to the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

LINK = re.compile(r"\]\(((?!https?:|#)[^)]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add README.md as index.md."""
    readme = Path(config.config_file_path).parent / "README.md"
    files.append(File.generated(config, "index.md", content=_from_docs(readme.read_text(encoding="utf-8"))))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Point what leaves docs/ at the repository."""
    return re.sub(r"\]\(\.\./([^)]+)\)", rf"]({config.repo_url.rstrip('/')}/blob/main/\1)", markdown)


def _from_docs(text: str) -> str:
    """The README's links, as they are from within docs/."""
    return LINK.sub(lambda m: f"]({m[1].removeprefix('docs/') if m[1].startswith('docs/') else '../' + m[1]})", text)
