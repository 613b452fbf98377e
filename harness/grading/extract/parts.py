"""Which part of a response is its answer: what follows the thought, whatever the thinking format."""

from __future__ import annotations

import re

from harness.grading.limits import MAX_RESPONSE_CHARS

# Lower case; the search does not look at the case of ASCII letters.
THINK_STARTS = ("<|im_start|>think", "<think>", "<|begin_of_thought|>", "<thinking>", "<thought>", "<reasoning>",
                "[think]", "◁think▷", "<seed:think>", "<|channel|>analysis<|message|>", "<|start_thinking|>",
                "<scratchpad>")  # fmt: skip
THINK_ENDS = ("<|im_start|>answer", "</think>", "<|end_of_thought|>", "</thinking>", "</thought>", "</reasoning>",
              "[/think]", "◁/think▷", "</seed:think>", "<|channel|>final<|message|>",
              "<|begin_of_solution|>", "<|end_thinking|>", "</scratchpad>")  # fmt: skip
_TEXT_ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "</s>", "<|im_start|>user",
              "<|im_start|>", "<|end_of_solution|>", "<end_of_turn>", "<|return|>", "<|end|>", "<|end_response|>",
              "</output>")  # fmt: skip
_HEADINGS = re.compile(
    r"(?:\A|\n)#{1,3} (?:thinking|thought)\s*\n(?:.|\n)*?\n#{1,3} (?:final response|final answer)\s*\n",
    re.IGNORECASE,
)
_CHANNELS_AS_WORDS = "assistantfinal"  # gpt-oss, its special tokens dropped: "analysis...assistantfinal..."
_NAMED_AFTER = re.compile(r"[`'\"]|\s(?:tags?|tokens?|blocks?|delimiters?|markers?)\b")
_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}  # keeps every index, unlike str.lower


def answer_part(response: str, prompt: str = "") -> tuple[str, bool]:
    """(what follows the thought, whether the thought is still open). Without any delimiter, the whole response.

    `prompt` is looked at for one thing: where it opened the thought and `response` never ends it, the response is a
    thought that was cut.
    """
    response = response[-MAX_RESPONSE_CHARS:]
    lowered = response.translate(_UPPER) if any(c in response for c in "<[◁") else ""
    ends = [(at + len(mark), mark) for mark in THINK_ENDS if lowered and (at := lowered.rfind(mark)) >= 0]
    if ends:
        end = max(ends)[0]
        text = response[end:]
        if _opens(lowered, end):
            return "", True
    elif _opens(lowered, 0) or opened_by(prompt):
        return "", True
    elif response.startswith("analysis") and (at := response.rfind(_CHANNELS_AS_WORDS)) >= 0:
        text = response[at + len(_CHANNELS_AS_WORDS) :]
    elif match := _HEADINGS.match(response):
        text = response[match.end() :]
    else:
        text = response
    text = text.removeprefix("<|im_start|>assistant").lstrip()
    lowered = text.translate(_UPPER) if "<" in text else ""
    cut = len(text)
    for mark in _TEXT_ENDS if lowered else ():
        at = lowered.find(mark, 0, cut)
        if at > 0 and text[:at].strip():
            cut = at
        elif at == 0:
            text, lowered, cut = text[len(mark) :], lowered[len(mark) :], cut - len(mark)
    return text[:cut], False


def _opens(lowered: str, after: int) -> bool:
    """Whether a thought begins after `after`; a delimiter that is only named ("the <think> tags") begins none."""
    for mark in THINK_STARTS:
        at = lowered.find(mark, after)
        while at >= 0:
            if lowered[at - 1 : at] not in ("`", "'", '"') and not _NAMED_AFTER.match(lowered, at + len(mark)):
                return True
            at = lowered.find(mark, at + 1)
    return False


def opened_by(prompt: str) -> bool:
    """Whether the prompt's end stands inside a thought: its last delimiter opens one."""
    lowered = prompt.translate(_UPPER) if prompt else ""
    start = max((lowered.rfind(mark) for mark in THINK_STARTS), default=-1)
    return start >= 0 and start > max(lowered.rfind(mark) for mark in THINK_ENDS)
