# ruff: noqa: E501  (templates)
"""Twenty families beyond `tests.families` and `tests.more_families`, written from what is public of them (model cards, the
parsers of serving engines) before the reader of templates was tried on one; the docs say how many were right at once."""

from __future__ import annotations

from tests.families import ASSISTANT, IM, SHOWN, TIGHT, Fixture, chatml
from tests.more_families import HEADER, LLAMA, LLAMA_TOKENS

TURN = "‹question›<|im_end|>\n<|im_start|>assistant\n"
NEUTRAL = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n" + TURN
DROPPED = "m.content.split('</think>')[-1]"
THINK = ("<think>", "</think>")
ROLES = "{%- for m in messages %}{{- '<role>' + ('ASSISTANT' if m.role == 'assistant' else 'HUMAN') + '</role>' + "

FURTHER = (
    Fixture(
        "a flag that adds a system sentence (Hermes-4)",
        "{%- if thinking is defined and thinking %}{{- '<|start_header_id|>system<|end_header_id|>\n\nThink deeply inside"
        " <think> </think> tags first.<|eot_id|>' }}{%- endif %}" + LLAMA.replace("PART", "m.content") + "{%- endif %}",
        LLAMA_TOKENS,
        "<|eot_id|>",
        "we",
        "‹question›<|eot_id|><|start_header_id|>" + HEADER + "<think>\n",
        "\n</think>\n\n",
        "<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\n‹question›<|eot_id|><|start_header_id|>" + HEADER,
    ),
    Fixture(
        "other tags around the answer, named by its own system turn (Marco-o1)",
        "{%- if messages[0].role != 'system' %}{{- '<|im_start|>system\nReason inside <Thought> and </Thought>, then answer"
        " inside <Output> and </Output>.<|im_end|>\n' }}{%- endif %}" + chatml("''", ASSISTANT),
        IM,
        "<|im_end|>",
        "we",
        TURN + "<Thought>\n",
        "\n</Thought>\n<Output>\n",
        "\n</Output><|im_end|>",
        NEUTRAL,
    ),
    Fixture(
        "think and answer tags, asked for by its own system turn (AM-Thinking-v1)",
        "{%- if messages[0].role != 'system' %}{{- '<|im_start|>system\nFirst reason in <think> </think>, then put the"
        " result in <answer> </answer>.<|im_end|>\n' }}{%- endif %}" + chatml("''", ASSISTANT),
        IM,
        "<|im_end|>",
        "we",
        TURN + "<think>\n",
        "\n</think>\n<answer>\n",
        "\n</answer><|im_end|>",
        NEUTRAL,
    ),
    Fixture(
        "opened, earlier thoughts dropped (OpenReasoning-Nemotron)",
        chatml("''", ASSISTANT + "{{- '<think>\n' }}").replace(
            "m.content + '<|im_end|>\n' }}{%- else", f"{DROPPED} + '<|im_end|>\n' }}}}{{%- else", 1
        ),
        (*IM, *THINK),
        "<|im_end|>",
        "the template",
        TURN + "<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        TURN + "<think>\n\n</think>\n\n",
    ),
    Fixture(
        "opened unless told, then bare (Intern-S1)",
        "{%- set on = enable_thinking is not defined or enable_thinking %}{%- if on %}{{- '<|im_start|>system\nReason"
        " carefully first.<|im_end|>\n' }}{%- endif %}" + chatml(SHOWN, ASSISTANT + "{{- '<think>\n' if on else '' }}"),
        (*IM, *THINK),
        "<|im_end|>",
        "the template",
        TURN + "<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        "<|im_start|>user\n" + TURN,
    ),
    Fixture(
        "numbered tokens for marks (openPangu-Embedded)",
        "{%- for m in messages %}{{- '[unused9]' + ('助手' if m.role == 'assistant' else '用户' if m.role == 'user' else '系统')"
        " + '：' + m.content.split('[unused17]')[-1] + '[unused10]' }}{%- endfor %}{%- if add_generation_prompt %}"
        "{{- '[unused9]助手：' }}{%- endif %}",
        ("[unused9]", "[unused10]", "[unused16]", "[unused17]"),
        "[unused10]",
        "we",
        "[unused9]助手：[unused16]",
        "[unused17]",
        "[unused10]",
        "[unused9]助手：[unused16][unused17]",
    ),
    Fixture(
        "opened tightly, closed by a switch (Youtu-LLM)",
        "{{- '<|begin_of_text|>' }}{%- for m in messages %}{{- ('<|Assistant|>' + TIGHT + m.content + '<|end_of_text|>') if"
        " m.role == 'assistant' else '<|User|>' + m.content }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|Assistant|>'"
        " + ('<think></think>' if enable_thinking is defined and not enable_thinking else '<think>') }}{%- endif %}".replace(
            "TIGHT", TIGHT
        ),
        ("<|begin_of_text|>", "<|User|>", "<|Assistant|>", "<|end_of_text|>", *THINK),
        "<|end_of_text|>",
        "the template",
        "<|Assistant|><think>",
        "</think>",
        "<|end_of_text|>",
        "<|Assistant|><think></think>",
    ),
    Fixture(
        "a mode on or off, neither by default (Baichuan-M2)",
        chatml(
            "''",
            ASSISTANT + "{%- if thinking_mode is defined %}{%- if thinking_mode == 'on' %}{{- '<think>\n' }}"
            "{%- elif thinking_mode == 'off' %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}{%- endif %}",
        ),
        (*IM, *THINK),
        "<|im_end|>",
        "the template",
        TURN + "<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        TURN + "<think>\n\n</think>\n\n",
    ),
    Fixture(
        "role tags, opened (Ring)",
        ROLES
        + DROPPED
        + " + '<|role_end|>' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<role>ASSISTANT</role><think>\n' }}{%- endif %}",
        ("<role>", "</role>", "<|role_end|>", *THINK),
        "<|role_end|>",
        "the template",
        "<role>ASSISTANT</role><think>\n",
        "\n</think>\n\n",
        "<|role_end|>",
        "<role>ASSISTANT</role><think>\n\n</think>\n\n",
    ),
    Fixture(
        "opened, and no end of turn (GLM-Z1)",
        "{{- '[gMASK]<sop>' }}{%- for m in messages %}{{- '<|' + m.role + '|>\n' + " + DROPPED + " }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|assistant|>\n<think>' }}{%- endif %}",
        ("[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|system|>", "<|endoftext|>"),
        "<|endoftext|>",
        "the template",
        "<|assistant|>\n<think>",
        "</think>",
        "<|endoftext|>",
        "<|assistant|>\n<think></think>",
    ),
    Fixture(
        "closed unless told, then bare (MiMo-V2-Flash)",
        chatml(TIGHT, ASSISTANT + "{{- '' if enable_thinking is defined and enable_thinking else '<think></think>' }}"),
        (*IM, *THINK),
        "<|im_end|>",
        "we",
        TURN + "<think>",
        "</think>",
        "<|im_end|>",
        TURN + "<think></think>",
    ),
    Fixture(
        "marks with the maker's name on both sides (PLaMo 3)",
        "{%- for m in messages %}{{- '<|plamo:tag|>' + m.role + '<|plamo:msg|>' + ('<|plamo:begin_think:plamo|>' +"
        " m.reasoning_content + '<|plamo:end_think:plamo|>' if m.reasoning_content else '') + m.content }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|plamo:tag|>assistant<|plamo:msg|>' }}{%- endif %}",
        ("<|plamo:tag|>", "<|plamo:msg|>", "<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>", "<|plamo:eos|>"),
        "<|plamo:eos|>",
        "we",
        "assistant<|plamo:msg|><|plamo:begin_think:plamo|>",
        "<|plamo:end_think:plamo|>",
        "<|plamo:eos|>",
        "assistant<|plamo:msg|><|plamo:begin_think:plamo|><|plamo:end_think:plamo|>",
    ),
    Fixture(
        "instruction brackets, opened unless told (Sarvam-M)",
        "{%- if enable_thinking is not defined %}{%- set enable_thinking = true %}{%- endif %}{{- '<s>' }}"
        "{%- for m in messages %}{{- '[INST] ' + m.content + ' [/INST]' if m.role == 'user' else m.content + '</s>' if"
        " m.role == 'assistant' else '[SYSTEM_PROMPT]' + m.content + '[/SYSTEM_PROMPT]' }}{%- endfor %}"
        "{%- if add_generation_prompt and enable_thinking %}{{- '<think>\n' }}{%- endif %}",
        ("<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", *THINK),
        "</s>",
        "the template",
        "[INST] ‹question› [/INST]<think>\n",
        "\n</think>\n\n",
        "</s>",
        "[INST] ‹question› [/INST]",
    ),
    Fixture(
        "underscored turns, opened (TeleChat T1)",
        "{%- for m in messages %}{{- ('<_bot>' + "
        + DROPPED
        + " + '<_end>') if m.role == 'assistant' else '<_' + m.role + '>'"
        " + m.content }}{%- endfor %}{%- if add_generation_prompt %}{{- '<_bot><think>\n' }}{%- endif %}",
        ("<_system>", "<_user>", "<_bot>", "<_end>", *THINK),
        "<_end>",
        "the template",
        "<_bot><think>\n",
        "\n</think>\n\n",
        "<_end>",
        "<_bot><think>\n\n</think>\n\n",
    ),
    Fixture(
        "a mode by length: long, short or the model's choice (R-4B)",
        chatml(
            "''",
            ASSISTANT
            + "{%- set mode = thinking_mode if thinking_mode is defined else 'auto' %}{%- if mode == 'long' %}"
            "{{- '<think>\n' }}{%- elif mode == 'short' %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}",
        ),
        (*IM, *THINK),
        "<|im_end|>",
        "the template",
        TURN + "<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        TURN + "<think>\n\n</think>\n\n",
    ),
    Fixture(
        "a space behind the role, opened (Jamba Reasoning)",
        "{%- for m in messages %}{{- '<|bom|><|' + m.role + '|> ' + " + DROPPED + " + '<|eom|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|bom|><|assistant|> <think>\n' }}{%- endif %}",
        ("<|bom|>", "<|eom|>", "<|user|>", "<|assistant|>", "<|system|>", "<|endoftext|>"),
        "<|eom|>",
        "the template",
        "<|bom|><|assistant|> <think>\n",
        "\n</think>\n\n",
        "<|eom|>",
        "<|assistant|> <think>\n\n</think>\n\n",
    ),
    Fixture(
        "nothing tells; a system prompt of the card asks for it (DeepHermes-3)",
        LLAMA.replace("PART", "m.content") + "{%- endif %}",
        LLAMA_TOKENS,
        "<|eot_id|>",
        "we",
        HEADER + "<think>\n",
        "\n</think>\n\n",
        "<|eot_id|>",
        HEADER,
    ),
    Fixture(
        "opened, another end of text than its turn's (Falcon-H1R)",
        chatml(SHOWN, ASSISTANT + "{{- '<think>\n' }}"),
        (*IM, "<|end_of_text|>", *THINK),
        "<|end_of_text|>",
        "the template",
        TURN + "<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        TURN + "<think>\n\n</think>\n\n",
    ),
    Fixture(
        "typed blocks of one message (Inkling)",
        "{%- for m in messages %}{%- if m.role == 'assistant' %}{%- if m.reasoning_content %}{{- '<|message_model|>"
        "<|content_thinking|>' + m.reasoning_content + '<|end_message|>' }}{%- endif %}{{- '<|message_model|><|content_text|>' +"
        " m.content + '<|end_message|>' }}{%- else %}{{- '<|message_' + m.role + '|><|content_text|>' + m.content +"
        " '<|end_message|>' }}{%- endif %}{%- endfor %}",
        (
            "<|message_model|>",
            "<|message_user|>",
            "<|message_system|>",
            "<|content_thinking|>",
            "<|content_text|>",
            "<|end_message|>",
            "<|content_model_end_sampling|>",
        ),
        "<|content_model_end_sampling|>",
        "we",
        "<|end_message|><|message_model|><|content_thinking|>",
        "<|end_message|><|message_model|><|content_text|>",
        "<|end_message|>",
        "<|message_model|><|content_thinking|><|end_message|><|message_model|><|content_text|>",
    ),
    Fixture(
        "a hybrid whose end of text is not its turn's (MiniCPM4.1)",
        chatml(
            SHOWN,
            ASSISTANT
            + "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n' }}{%- endif %}",
        ),
        ("<s>", "</s>", *IM, *THINK),
        "</s>",
        "we",
        TURN + "<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        TURN + "<think>\n\n</think>\n",
    ),
)
