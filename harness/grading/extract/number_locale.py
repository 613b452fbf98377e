"""Numbers as other languages write them: in a German or Spanish response 70.000 is seventy thousand."""

from __future__ import annotations

import re

_GROUPED = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+)(,\d+)?(?![\d.,]*\d)")
_DOT_DECIMALS = re.compile(r"(?<![\d.])\d+\.(?:\d{1,2}|\d{4,})(?![\d.])")
_FOREIGN = re.compile(
    r"\b(?:der|die|das|und|ist|sind|wir|ein|eine|el|los|las|es|por|para|una|que|cada|les|des|est|une|donc|il|che|"
    r"per|nel|het|een|van|dus|jest|это|как|для)\b|[äöüßñáíóúêèçàœ¿¡а-яё]",
    re.IGNORECASE,
)
_ENOUGH = 4  # foreign words or letters in the tail of a response
_TAIL_CHARS = 2_000


def localised(answer: str, response: str) -> str:
    """`answer` without the dots that group its digits, where the response is in a language that writes them.

    A response that shows a decimal point (3.50) is left as it is.
    """
    if "." not in answer or not _GROUPED.search(answer):
        return answer
    tail = response[-_TAIL_CHARS:]
    if len(_FOREIGN.findall(tail)) < _ENOUGH or _DOT_DECIMALS.search(tail):
        return answer
    return _GROUPED.sub(lambda m: m.group(1).replace(".", "") + (m.group(2) or "").replace(",", "."), answer)
