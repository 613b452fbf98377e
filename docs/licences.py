"""The table of licences in docs/supply_chain.md: `python docs/licences.py build/licences.json`, as `make sbom` does."""

import json
import re
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("supply_chain.md")
START, END = "<!-- licences: begin -->\n", "<!-- licences: end -->\n"
FAMILIES = {  # what tells a licence by any of its names -> its SPDX name
    r"(The )?MIT( License)?( \(MIT\))?": "MIT",
    r"Apache([- ]2\.0)?( License)?( 2\.0)?|Apache Software License": "Apache-2.0",
    r"BSD( License)?": "BSD (which one is not said)",
    r"(3-Clause BSD License|BSD-3-Clause)": "BSD-3-Clause",
    r"ISC( License \(ISCL\))?": "ISC",
    r"MPL-2\.0|Mozilla Public License 2\.0 \(MPL 2\.0\)": "MPL-2.0",
    r"PSF-2\.0|Python Software Foundation License": "PSF-2.0",
    r"The Unlicense \(Unlicense\)": "Unlicense",
    r"GNU Lesser General Public License v2 or later \(LGPLv2\+\)": "LGPL-2.1-or-later",
    r"UNKNOWN": "not said by the package",
}


def family(licence: str) -> str:
    """The SPDX name of what a package calls its licence; its first line where we know none."""
    line = licence.strip().splitlines()[0].strip()
    return next((name for pattern, name in FAMILIES.items() if re.fullmatch(pattern, line)), line)


def table(rows: list[dict[str, str]]) -> str:
    """Licence, number of packages, packages with their versions."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["Name"] not in ("s1-harness", "pip"):
            found.setdefault(family(row["License"]), []).append(f"{row['Name']} {row['Version']}")
    lines = ["| licence | packages | which |", "|---|---|---|"]
    for name, packages in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        lines.append(f"| {name} | {len(packages)} | {', '.join(sorted(packages, key=str.lower))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(START)
    made = table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    PAGE.write_text(head + START + made + END + rest.partition(END)[2], encoding="utf-8")
