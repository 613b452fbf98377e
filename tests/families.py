# ruff: noqa: E501  (templates)
"""Small chat templates in the manner of the public model families, each with its special tokens and what a person reads
in it. They are written for these tests: the same delimiters, switches and ends as the family's public template, none of
its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fixture:
    """A family: its template and tokens, and what should be read of them.

    thinks   the end of the prompt that thinks, thinking start included
    closes   from the thought to the answer, in training text and (white space aside) at a natural end
    ends     behind the answer in training text
    plain    the end of a prompt that does not think
    """

    name: str
    template: str
    tokens: tuple[str, ...]
    eos: str
    opener: str
    thinks: str
    closes: str
    ends: str
    plain: str


CHATML = (
    "{%- for m in messages %}{%- if m.role == 'assistant' %}"
    "{{- '<|im_start|>assistant\n' + THOUGHT + m.content + '<|im_end|>\n' }}"
    "{%- else %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endif %}{%- endfor %}"
)
IM = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
SHOWN = "('<think>\n' + m.reasoning_content + '\n</think>\n\n' if m.reasoning_content else '')"
TIGHT = "('<think>' + m.reasoning_content + '</think>' if m.reasoning_content else '')"


def chatml(thought: str, generation: str) -> str:
    """ChatML with `thought` (an expression) before an answer, and `generation` (statements) as the generation prompt."""
    return CHATML.replace("THOUGHT", thought) + "{%- if add_generation_prompt %}" + generation + "{%- endif %}"


ASSISTANT = "{{- '<|im_start|>assistant\n' }}"
HYBRID = (
    ASSISTANT
    + "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
)
OPENS_UNLESS = ASSISTANT + (
    "{%- if enable_thinking is defined and not enable_thinking %}{{- '<think>\n\n</think>\n\n' }}"
    "{%- else %}{{- '<think>\n' }}{%- endif %}"
)
DEEPSEEK = ("<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<think>", "</think>")
DEEPSEEK_TURNS = (
    "{%- for m in messages %}{%- if m.role == 'user' %}{{- '<｜User｜>' + m.content }}"
    "{%- elif m.role == 'assistant' %}{{- '<｜Assistant｜>' + PART + '<｜end▁of▁sentence｜>' }}"
    "{%- else %}{{- m.content }}{%- endif %}{%- endfor %}"
)

FIXTURES = (
    Fixture(
        "instruct without thinking (s1's base)",
        chatml("''", ASSISTANT),
        IM,
        "<|im_end|>",
        "we",
        "assistant\n<|im_start|>think",
        "\n<|im_start|>answer\n",
        "<|im_end|>",
        "<|im_start|>assistant\n",
    ),
    Fixture(
        "base eos",
        chatml("''", ASSISTANT),
        IM,
        "<|endoftext|>",
        "we",
        "assistant\n<|im_start|>think",
        "\n<|im_start|>answer\n",
        "<|im_end|>",
        "<|im_start|>assistant\n",
    ),
    Fixture(
        "hybrid that thinks (Qwen3)",
        chatml(SHOWN, HYBRID),
        (*IM, "<think>", "</think>"),
        "<|im_end|>",
        "we",
        "assistant\n<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        "assistant\n<think>\n\n</think>\n\n",
    ),
    Fixture(
        "opened, with a switch (Qwen3.5)",
        chatml(SHOWN, OPENS_UNLESS),
        (*IM, "<think>", "</think>"),
        "<|im_end|>",
        "the template",
        "assistant\n<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        "assistant\n<think>\n\n</think>\n\n",
    ),
    Fixture(
        "opened, without a switch (QwQ, Qwen3-Thinking)",
        chatml("''", ASSISTANT + "{{- '<think>\n' }}"),
        (*IM, "<think>", "</think>"),
        "<|im_end|>",
        "the template",
        "assistant\n<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        "assistant\n<think>\n\n</think>\n\n",
    ),
    Fixture(
        "earlier thoughts dropped (DeepSeek-R1)",
        DEEPSEEK_TURNS.replace("PART", "m.content.split('</think>')[-1]")
        + "{%- if add_generation_prompt %}{{- '<｜Assistant｜><think>\n' }}{%- endif %}",
        DEEPSEEK,
        "<｜end▁of▁sentence｜>",
        "the template",
        "<｜Assistant｜><think>\n",
        "\n</think>\n\n",
        "<｜end▁of▁sentence｜>",
        "<｜Assistant｜><think>\n\n</think>\n\n",
    ),
    Fixture(
        "hybrid that must be told (DeepSeek-V3.1)",
        "{%- if thinking is not defined %}{%- set thinking = false %}{%- endif %}"
        + DEEPSEEK_TURNS.replace("PART", "'</think>' + m.content.split('</think>')[-1]")
        + "{%- if add_generation_prompt %}{{- '<｜Assistant｜>' }}{{- '<think>' if thinking else '</think>' }}{%- endif %}",
        DEEPSEEK,
        "<｜end▁of▁sentence｜>",
        "the template",
        "<｜Assistant｜><think>",
        "</think>",
        "<｜end▁of▁sentence｜>",
        "<｜Assistant｜></think>",
    ),
    Fixture(
        "told by another switch, its end in the turn (EXAONE-4)",
        "{%- for m in messages %}{{- '[|' + m.role + '|]\n' + ('<think>\n' + m.reasoning_content + '\n</think>\n\n'"
        " if m.reasoning_content else '') + m.content + ('[|endofturn|]\n' if m.role != 'user' else '\n') }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '[|assistant|]\n' }}{%- if enable_thinking is defined and enable_thinking is"
        " true %}{{- '<think>\n' }}{%- else %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}{%- endif %}",
        ("[|user|]", "[|assistant|]", "[|endofturn|]", "<think>", "</think>"),
        "[|endofturn|]",
        "the template",
        "[|assistant|]\n<think>\n",
        "\n</think>\n\n",
        "[|endofturn|]",
        "[|assistant|]\n<think>\n\n</think>\n\n",
    ),
    Fixture(
        "told by an instruction in the system turn (Granite 3.3)",
        "{{- '<|role|>system<|/role|>' + ('Write thoughts between <think></think>, the response between"
        " <response></response>.' if thinking else 'Help.') + '<|end_of_text|>\n' }}"
        "{%- for m in messages %}{{- '<|role|>' + m.role + '<|/role|>' + m.content + '<|end_of_text|>\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|role|>assistant<|/role|>' }}{%- endif %}",
        ("<|role|>", "<|/role|>", "<|end_of_text|>"),
        "<|end_of_text|>",
        "we",
        "assistant<|/role|><think>\n",
        "\n</think><response>",
        "</response><|end_of_text|>",
        "assistant<|/role|>",
    ),
    Fixture(
        "plain words (Granite 3.2)",
        "{{- '<|role|>system<|/role|>' + (\"Begin with 'Here is my thought process:', then 'Here is my response:'.\""
        " if thinking else 'Help.') + '<|end_of_text|>\n' }}"
        "{%- for m in messages %}{{- '<|role|>' + m.role + '<|/role|>' + m.content + '<|end_of_text|>\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|role|>assistant<|/role|>' }}{%- endif %}",
        ("<|role|>", "<|/role|>", "<|end_of_text|>"),
        "<|end_of_text|>",
        "we",
        "assistant<|/role|>Here is my thought process:\n",
        "\nHere is my response:\n",
        "<|end_of_text|>",
        "assistant<|/role|>",
    ),
    Fixture(
        "a word in the system turn switches it off (Nemotron v2)",
        "{%- set ns = namespace(on=true) %}{%- for m in messages %}{%- if '/no_think' in m.content %}"
        "{%- set ns.on = false %}{%- endif %}{%- endfor %}"
        "{%- for m in messages %}{{- '<SPECIAL_11>' + m.role + '\n' + m.content.replace('/no_think', '') +"
        " ('\n<SPECIAL_12>' if m.role == 'assistant' else '') + '\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<SPECIAL_11>assistant\n' + ('<think>\n' if ns.on else '<think></think>') }}"
        "{%- endif %}",
        ("<SPECIAL_11>", "<SPECIAL_12>", "<think>", "</think>"),
        "<SPECIAL_12>",
        "the template",
        "<SPECIAL_11>assistant\n<think>\n",
        "\n</think>\n\n",
        "\n<SPECIAL_12>",
        "assistant\n<think></think>",
    ),
    Fixture(
        "a level of effort is no switch; channels (gpt-oss)",
        "{{- '<|start|>system<|message|>Reasoning: ' + (reasoning_effort or 'medium') + '<|end|>' }}"
        "{%- for m in messages %}{%- if m.role == 'assistant' %}{%- if m.thinking %}"
        "{{- '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}{%- endif %}"
        "{{- '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|return|>' }}"
        "{%- else %}{{- '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|start|>assistant' }}{%- endif %}",
        ("<|start|>", "<|message|>", "<|end|>", "<|return|>", "<|channel|>"),
        "<|return|>",
        "we",
        "<|start|>assistant<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
        "<|return|>",
        "<|channel|>analysis<|message|><|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    Fixture(
        "chunks, thinking asked for by the default system turn (Magistral, Ministral)",
        "{%- if messages[0].role != 'system' %}{{- '[SYSTEM_PROMPT]Think like this: [THINK]why[/THINK]answer."
        "[/SYSTEM_PROMPT]' }}{%- endif %}{%- for m in messages %}{%- if m.role == 'system' %}"
        "{{- '[SYSTEM_PROMPT]' + m.content + '[/SYSTEM_PROMPT]' }}{%- elif m.role == 'user' %}"
        "{{- '[INST]' + m.content + '[/INST]' }}{%- elif m.content is string %}{{- m.content + '</s>' }}{%- else %}"
        "{%- for part in m.content %}{{- '[THINK]' + part.thinking + '[/THINK]' if part.type == 'thinking' else part.text"
        " }}{%- endfor %}{{- '</s>' }}{%- endif %}{%- endfor %}",
        ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[INST]", "[/INST]", "[THINK]", "[/THINK]", "</s>"),
        "</s>",
        "we",
        "[/INST][THINK]",
        "[/THINK]",
        "</s>",
        "assistant.[/SYSTEM_PROMPT][INST]‹question›[/INST]",
    ),
    Fixture(
        "a budget of zero switches it off (Seed-OSS)",
        "{%- for m in messages %}{{- '<seed:bos>' + m.role + '\n' + ('<seed:think>' + m.reasoning_content +"
        " '</seed:think>' if m.reasoning_content else '') + m.content + '<seed:eos>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<seed:bos>assistant\n' }}{%- if thinking_budget is defined and"
        " thinking_budget == 0 %}{{- '<seed:think></seed:think>' }}{%- endif %}{%- endif %}",
        ("<seed:bos>", "<seed:eos>", "<seed:think>", "</seed:think>"),
        "<seed:eos>",
        "we",
        "<seed:bos>assistant\n<seed:think>",
        "</seed:think>",
        "<seed:eos>",
        "<seed:think></seed:think>",
    ),
    Fixture(
        "closed unless told, its generation prompt behind every turn (Command R7B)",
        "{%- for m in messages %}{{- '<|START_OF_TURN_TOKEN|><|' + ('CHATBOT' if m.role == 'assistant' else 'USER') +"
        " '_TOKEN|>' + ('<|START_RESPONSE|>' + m.content + '<|END_RESPONSE|>' if m.role == 'assistant' else m.content) +"
        " '<|END_OF_TURN_TOKEN|>' }}{%- endfor %}{{- '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}"
        "{%- if not enable_thinking %}{{- '<|START_THINKING|><|END_THINKING|>' }}{%- endif %}",
        (
            "<|START_OF_TURN_TOKEN|>",
            "<|CHATBOT_TOKEN|>",
            "<|USER_TOKEN|>",
            "<|START_RESPONSE|>",
            "<|END_RESPONSE|>",
            "<|END_OF_TURN_TOKEN|>",
            "<|START_THINKING|>",
            "<|END_THINKING|>",
        ),
        "<|END_OF_TURN_TOKEN|>",
        "we",
        "<|CHATBOT_TOKEN|><|START_THINKING|>",
        "<|END_THINKING|><|START_RESPONSE|>",
        "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
        "<|CHATBOT_TOKEN|><|START_THINKING|><|END_THINKING|>",
    ),
    Fixture(
        "no end of turn in the template (GLM)",
        "{%- for m in messages %}{%- if m.role == 'assistant' %}{{- '<|assistant|>\n' + ('<think>' + m.reasoning_content +"
        " '</think>\n' if m.reasoning_content else '') + m.content }}{%- else %}{{- '<|' + m.role + '|>\n' + m.content }}"
        "{{- '/nothink' if enable_thinking is defined and not enable_thinking }}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- if enable_thinking is defined and not enable_thinking %}"
        "{{- '\n<think></think>' }}{%- endif %}{%- endif %}",
        ("<|user|>", "<|assistant|>", "<|system|>", "<|endoftext|>", "<think>", "</think>"),
        "<|endoftext|>",
        "we",
        "<|assistant|>\n<think>",
        "</think>\n",
        "<|endoftext|>",
        "/nothink<|assistant|>\n<think></think>",
    ),
    Fixture(
        "a switch in the system turn and channels (Gemma 4)",
        "{%- if enable_thinking %}{{- '<|turn>system\n<|think|><turn|>\n' }}{%- endif %}"
        "{%- for m in messages %}{{- '<|turn>' + m.role + '\n' + m.content.split('<channel|>')[-1] + '<turn|>\n' }}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- '<|turn>model\n' }}{%- if not enable_thinking %}"
        "{{- '<|channel>thought\n<channel|>' }}{%- endif %}{%- endif %}",
        ("<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>"),
        "<turn|>",
        "we",
        "<|turn>model\n<|channel>thought\n",
        "<channel|>",
        "<turn|>",
        "<|turn>model\n<|channel>thought\n<channel|>",
    ),
    Fixture(
        "blocks (Apertus)",
        "{{- '<|dev|>Deliberation: ' + ('on' if enable_thinking is defined and enable_thinking else 'off') + '<|/dev|>' }}"
        "{%- for m in messages %}{%- if m.role == 'assistant' %}{{- '<|assistant_start|>' }}{%- if m.content is string %}"
        "{{- m.content }}{%- else %}{%- for b in m.content.blocks %}{{- '<|inner_prefix|>' + b.text + '<|inner_suffix|>'"
        " if b.type == 'thoughts' else b.text }}{%- endfor %}{%- endif %}{%- else %}{{- '<|user_start|>' + m.content +"
        " '<|user_end|>' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<|assistant_start|>' }}{%- endif %}",
        (
            "<|dev|>",
            "<|/dev|>",
            "<|user_start|>",
            "<|user_end|>",
            "<|assistant_start|>",
            "<|assistant_end|>",
            "<|inner_prefix|>",
            "<|inner_suffix|>",
        ),
        "<|assistant_end|>",
        "we",
        "<|assistant_start|><|inner_prefix|>",
        "<|inner_suffix|>",
        "<|assistant_end|>",
        "<|assistant_start|>",
    ),
    Fixture(
        "effort as the switch, marks that no table knows (Hunyuan)",
        "{%- if reasoning_effort is not defined %}{%- set reasoning_effort = 'no_think' %}{%- endif %}"
        "{%- for m in messages %}{{- '<｜' + m.role + '｜>' + ('<think:open>' + m.reasoning_content + '</think:open>'"
        " if m.reasoning_content else '') + m.content + '<｜eos｜>' }}{%- endfor %}{%- if add_generation_prompt %}"
        "{{- '<｜assistant｜><think:open>' + ('' if reasoning_effort in ['low', 'high'] else '</think:open>') }}{%- endif %}",
        ("<｜user｜>", "<｜assistant｜>", "<｜eos｜>", "<think:open>", "</think:open>"),
        "<｜eos｜>",
        "the template",
        "<｜assistant｜><think:open>",
        "</think:open>",
        "<｜eos｜>",
        "<think:open></think:open>",
    ),
    Fixture(
        "tags of several tokens (Kimi-K3)",
        "{%- if thinking is undefined %}{%- set thinking = true %}{%- endif %}{%- for m in messages %}"
        "{{- '<|open|>message ' + m.role + '<|sep|>' }}{%- if m.role == 'assistant' %}{{- '<|open|>think<|sep|>' +"
        " (m.reasoning_content or '') + '<|close|>think<|sep|><|open|>response<|sep|>' + m.content +"
        " '<|close|>response<|sep|>' }}{%- else %}{{- m.content }}{%- endif %}{{- '<|close|>message<|sep|><|end_of_msg|>' }}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- '<|open|>message assistant<|sep|>' }}"
        "{{- '<|open|>think<|sep|>' if thinking else '<|open|>response<|sep|>' }}{%- endif %}",
        ("<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>"),
        "<|end_of_msg|>",
        "the template",
        "assistant<|sep|><|open|>think<|sep|>",
        "<|close|>think<|sep|><|open|>response<|sep|>",
        "<|close|>response<|sep|><|close|>message<|sep|><|end_of_msg|>",
        "assistant<|sep|><|open|>response<|sep|>",
    ),
    Fixture(
        "a recipient as the mark (Muse)",
        "{%- for m in messages %}{%- if m.reasoning_content %}{{- '<|start|>assistant to=self<|message|>' +"
        " m.reasoning_content + '<|eom|>' }}{%- endif %}{{- '<|start|>' + m.role + (' to=user' if m.role == 'assistant'"
        " else '') + '<|message|>' + m.content + '<|eot|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|start|>assistant' }}{%- endif %}",
        ("<|start|>", "<|message|>", "<|eom|>", "<|eot|>"),
        "<|eot|>",
        "we",
        "<|start|>assistant to=self<|message|>",
        "<|eom|><|start|>assistant to=user<|message|>",
        "<|eot|>",
        " to=self<|message|><|eom|><|start|>assistant to=user<|message|>",
    ),
    Fixture(
        "a turn of its own for the thought (Solar)",
        "{%- for m in messages %}{%- if m.reasoning %}{{- '<|begin|>assistant<|think|>' + m.reasoning + '<|end|>' }}"
        "{%- endif %}{{- '<|begin|>' + m.role + '<|content|>' + m.content + '<|end|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{%- if reasoning_effort is defined and reasoning_effort in ['low', 'minimal'] %}"
        "{{- '<|begin|>assistant<|think|><|end|>' }}{%- endif %}{{- '<|begin|>assistant' }}{%- endif %}",
        ("<|begin|>", "<|end|>", "<|think|>", "<|content|>"),
        "<|end|>",
        "we",
        "<|begin|>assistant<|think|>",
        "<|end|><|begin|>assistant<|content|>",
        "<|end|>",
        "<|begin|>assistant<|think|><|end|><|begin|>assistant",
    ),
    Fixture(
        "modes with a name (MiniMax-M3)",
        "{{- 'Mode: ' + ('on' if thinking_mode is defined and thinking_mode == 'enabled' else 'off' if thinking_mode is"
        " defined and thinking_mode == 'disabled' else 'adaptive') + '\n' }}{%- for m in messages %}{{- ']~b]' + ('ai' if m.role == 'assistant' else m.role) +"
        " '\n' + ('<mm:think>' + m.reasoning_content + '</mm:think>' if m.reasoning_content else '') + m.content +"
        " '[e~[\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- ']~b]ai\n' + ('</mm:think>' if thinking_mode is"
        " defined and thinking_mode == 'disabled' else '') }}{%- endif %}",
        ("]~b]", "[e~[", "<mm:think>", "</mm:think>"),
        "[e~[",
        "we",
        "]~b]ai\n<mm:think>",
        "</mm:think>",
        "[e~[",
        "]~b]ai\n</mm:think>",
    ),
    Fixture(
        "the answer has the mark (Apriel)",
        "{{- '<|system|>\nReason step by step, then [BEGIN FINAL RESPONSE] and the answer.\n<|end|>\n' }}"
        "{%- for m in messages %}{{- '<|' + m.role + '|>\n' + m.content + '\n<|end|>\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|assistant|>\nHere are my reasoning steps:\n' }}{%- endif %}",
        ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "<|end|>",
        "the template",
        "<|assistant|>\nHere are my reasoning steps:\n",
        "\n[BEGIN FINAL RESPONSE]\n",
        "\n<|end|>",
        "Here are my reasoning steps:\n\n[BEGIN FINAL RESPONSE]\n",
    ),
    Fixture(
        "other tags (EXAONE Deep, Kimi-VL)",
        "{%- for m in messages %}{{- '[|' + m.role + '|]' + m.content.split('</thought>')[-1] + '[|endofturn|]\n' }}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- '[|assistant|]<thought>\n' }}{%- endif %}",
        ("[|user|]", "[|assistant|]", "[|endofturn|]", "<thought>", "</thought>"),
        "[|endofturn|]",
        "the template",
        "[|assistant|]<thought>\n",
        "\n</thought>\n\n",
        "[|endofturn|]",
        "[|assistant|]<thought>\n\n</thought>\n\n",
    ),
)


def tokenizer_of(template: str, tokens: tuple[str, ...], eos: str) -> Any:
    """A byte tokenizer with these special tokens and this chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token=eos,
        pad_token=eos,
        clean_up_tokenization_spaces=False,
        additional_special_tokens=[token for token in tokens if token != eos],
    )
    made.chat_template = template
    return made
