# ruff: noqa: E501  (templates)
"""Families and versions that no other module of fixtures has, written from their public templates, cards and the parsers of
serving engines before the reader of templates was tried on one; the docs say how many were right at once."""

from __future__ import annotations

from tests.families import ASSISTANT, DEEPSEEK, IM, OPENS_UNLESS, SHOWN, Fixture, chatml
from tests.further_families import THINK, TURN

EFFORTS = "{%- set effort = reasoning_effort if reasoning_effort is defined and reasoning_effort in ['low', 'high'] else 'max' -%}"
SYSTEM_ALWAYS = "{{- '<|im_start|>system\n' + (messages[0].content if messages[0].role == 'system' else DEFAULT) + '<|im_end|>\n' }}"
NO_SYSTEM = "{%- if m.role != 'system' %}"
NVIDIA = (
    "{%- set enable_thinking = enable_thinking if enable_thinking is defined else True %}"
    + SYSTEM_ALWAYS.replace("DEFAULT", "''")
    + "{%- for m in messages %}{%- if m.role == 'assistant' %}{%- if m.reasoning_content is string and m.reasoning_content | trim %}"
    "{%- set c = '<think>\n' ~ m.reasoning_content ~ CLOSE ~ m.content %}{%- else %}{%- set c = '<think></think>' ~ m.content %}"
    "{%- endif %}{{- '<|im_start|>assistant\n' ~ (c | trim) ~ '<|im_end|>\n' }}{%- elif m.role == 'user' %}"
    "{{- '<|im_start|>user\n' + m.content + EFFORT + '<|im_end|>\n' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\n' + ('<think>\n' if enable_thinking else '<think></think>') }}{%- endif %}"
)
ZHIPU = (
    "{{- '[gMASK]<sop>' }}HEAD{%- for m in messages %}{%- if m.role == 'assistant' %}{{- '<|assistant|>' }}{%- if m.reasoning_content"
    " is string and m.reasoning_content and ((clear_thinking is defined and not clear_thinking) or loop.last) %}"
    "{{- '<think>' + m.reasoning_content + '</think>' }}{%- else %}{{- EMPTY }}{%- endif %}{{- m.content.strip() }}"
    "{%- else %}{{- '<|' + m.role + '|>' + m.content }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|assistant|>' + OPEN }}{%- endif %}"
)
ZHIPU_TOKENS = (
    "[gMASK]",
    "<sop>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|observation|>",
    "<|endoftext|>",
    *THINK,
)

UNSEEN = (
    Fixture(
        "a switch with another name, off unless told (GigaChat 3.5)",
        "{%- if reasoning is not defined %}{%- set reasoning = false %}{%- endif %}{%- if drop_history_thinking is not defined %}"
        "{%- set drop_history_thinking = true %}{%- endif %}{{- '<s>developer system<|role_sep|>\nKeep to the law.<|message_sep|>\n\n' }}"
        "{%- if messages[0].role != 'system' %}{{- 'system<|role_sep|>\n<|message_sep|>\n\n' }}{%- endif %}{%- for m in messages %}"
        "{%- if m.role == 'assistant' %}{{- 'assistant<|role_sep|>\n' ~ ('<think>' ~ m.reasoning_content ~ '</think>\n\n'"
        " if m.reasoning_content is defined and not (drop_history_thinking and not loop.last) else '') ~ m.content }}"
        "{{- eos_token if loop.last and not add_generation_prompt else '<|message_sep|>\n\n' }}{%- else %}"
        "{{- m.role ~ '<|role_sep|>\n' ~ m.content ~ '<|message_sep|>\n\n' }}{%- endif %}{%- if loop.last and add_generation_prompt %}"
        "{{- 'assistant<|role_sep|>\n' + ('<think>' if reasoning else '') }}{%- endif %}{%- endfor %}",
        ("<s>", "</s>", "<|role_sep|>", "<|message_sep|>", *THINK),
        "</s>",
        "the template",
        "‹question›<|message_sep|>\n\nassistant<|role_sep|>\n<think>",
        "</think>\n\n",
        "</s>",
        "‹question›<|message_sep|>\n\nassistant<|role_sep|>\n",
    ),
    Fixture(
        "a hybrid with a block in every turn and a system turn of its own (MiroThinker)",
        "{%- if messages[0].role != 'system' %}{{- '<|im_start|>system\nA tool use must stand at the end of the message, not inside"
        " other tags.<|im_end|>\n' }}{%- endif %}"
        + chatml(
            "'<think>\n' + (m.reasoning_content or '') + '\n</think>\n\n'",
            ASSISTANT
            + "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}",
        ),
        (*IM, *THINK),
        "<|im_end|>",
        "we",
        TURN + "<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        TURN + "<think>\n\n</think>\n\n",
    ),
    Fixture(
        "opened always, a level of effort in a system turn if given (Step 3.7)",
        "{{- '<s>' }}{%- if reasoning_effort is defined %}{{- '<|im_start|>system\nReasoning: ' + reasoning_effort + '\n\n' }}"
        "{{- (messages[0].content if messages[0].role == 'system' else '') + '<|im_end|>\n' }}{%- elif messages[0].role == 'system' %}"
        "{{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{%- endif %}{%- for m in messages %}"
        + NO_SYSTEM
        + "{{- '<|im_start|>' + m.role + '\n' }}{%- if m.role == 'assistant' and (loop.last or (preserve_thinking is defined and"
        " preserve_thinking)) %}{{- '<think>\n' + (m.reasoning_content or '') + '\n</think>\n' }}{%- endif %}"
        "{{- m.content + '<|im_end|>\n' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}"
        "{{- '<|im_start|>assistant\n<think>\n' }}{%- endif %}",
        ("<s>", *IM, *THINK),
        "<|im_end|>",
        "the template",
        TURN + "<think>\n",
        "\n</think>\n",
        "<|im_end|>",
        TURN + "<think>\n\n</think>\n",
    ),
    Fixture(
        "opened with a newline, closed without one (Nemotron 3.5)",
        NVIDIA.replace("CLOSE", "'</think>'").replace("EFFORT", "''"),
        (*IM, *THINK),
        "<|im_end|>",
        "the template",
        TURN + "<think>\n",
        "</think>",
        "<|im_end|>",
        TURN + "<think></think>",
    ),
    Fixture(
        "a flag for little effort behind the question (Nemotron 3 Super)",
        "{%- set low_effort = low_effort if low_effort is defined else False %}"
        + NVIDIA.replace("CLOSE", "'\n</think>\n'").replace(
            "EFFORT", "('\n\n{reasoning effort: low}' if low_effort else '')"
        ),
        (*IM, *THINK),
        "<|im_end|>",
        "the template",
        TURN + "<think>\n",
        "\n</think>\n",
        "<|im_end|>",
        TURN + "<think></think>",
    ),
    Fixture(
        "efforts by other names, others refused, and a switch (Qwen3.8)",
        "{%- set said = '' %}{%- if enable_thinking is undefined or enable_thinking is true %}{%- set e = reasoning_effort |"
        " default('xhigh') %}{%- if e not in ('xhigh', 'medium', 'low') %}{{- raise_exception('no such effort: ' ~ e) }}{%- endif %}"
        "{%- set said = 'Take great care.' if e == 'xhigh' else 'Be quick.' if e == 'low' else '' %}{%- endif %}"
        "{%- if messages[0].role == 'system' or said %}{{- '<|im_start|>system\n' + said + (messages[0].content if messages[0].role =="
        " 'system' else '') + '<|im_end|>\n' }}{%- endif %}"
        + chatml(
            "('<think>\n' + (m.reasoning_content or '') + '\n</think>\n\n' if preserve_thinking is undefined or preserve_thinking else '')",
            OPENS_UNLESS,
        ).replace(
            "{%- else %}{{- '<|im_start|>' + m.role", "{%- elif m.role == 'user' %}{{- '<|im_start|>' + m.role", 1
        ),
        (*IM, *THINK),
        "<|im_end|>",
        "the template",
        "<|im_start|>system\nTake great care.<|im_end|>\n<|im_start|>user\n" + TURN + "<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        TURN + "<think>\n\n</think>\n\n",
    ),
    Fixture(
        "a thought as a turn, two tokens behind the answer (HyperCLOVA X SEED Think 14B)",
        "{{- '<|im_start|>tool_list\n<|im_end|>\n' }}{%- for m in messages %}{%- if loop.first and m.role != 'system' %}"
        "{{- '<|im_start|>system\n<|im_end|>\n' }}{%- endif %}{%- if m.role == 'assistant' %}{%- if m.reasoning_content %}"
        "{{- '<|im_start|>assistant/think\n' + m.reasoning_content.strip('\n') + '<|im_end|>\n' }}{%- endif %}"
        "{{- '<|im_start|>assistant\n' + m.content.strip('\n') + '<|im_end|><|endofturn|>\n' }}{%- else %}"
        "{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}"
        "{%- if force_reasoning is defined and force_reasoning is true %}{{- '<|im_start|>assistant/think\n' }}{%- elif"
        " skip_reasoning is defined and skip_reasoning is true %}{{- '<|im_start|>assistant\n' }}{%- else %}"
        "{{- '<|im_start|>assistant' }}{%- endif %}{%- endif %}",
        (*IM, "<|endofturn|>", "<|stop|>"),
        "<|endofturn|>",
        "the template",
        "<|im_end|>\n<|im_start|>assistant/think\n",
        "<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|><|endofturn|>",
        "<|im_start|>assistant\n",
    ),
    Fixture(
        "marks with a colon, efforts that open (Solar Open 2)",
        "{%- set effort = reasoning_effort if reasoning_effort is defined else 'high' %}{%- for m in messages %}"
        "{{- '<|im:start|>' + m.role + '<|im:content|>' }}{%- if m.role == 'assistant' %}{{- '<|think:start|>' +"
        " (m.reasoning_content or '') + '<|think:end|>' }}{%- endif %}{{- m.content + '<|im:end|>\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im:start|>assistant<|im:content|><|think:start|>' }}{%- if effort not in"
        " ['medium', 'high', 'xhigh'] %}{{- '<|think:end|>' }}{%- endif %}{%- endif %}",
        ("<|im:start|>", "<|im:content|>", "<|im:end|>", "<|think:start|>", "<|think:end|>"),
        "<|im:end|>",
        "the template",
        "<|im:start|>assistant<|im:content|><|think:start|>",
        "<|think:end|>",
        "<|im:end|>",
        "<|im:content|><|think:start|><|think:end|>",
    ),
    Fixture(
        "bare unless told, then opened (Bielik 3)",
        "{{- '<s>' }}{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\n' + messages[0].content + ('\n\nFirst think inside"
        " <think>...</think>.' if enable_thinking else '') + '<|im_end|>\n' }}{%- endif %}{%- for m in messages %}"
        + NO_SYSTEM
        + "{{- '<|im_start|>' + m.role + '\n' + ('<think>\n' + m.reasoning_content.strip() + '\n</think>\n' if m.reasoning_content else"
        " '') + m.content + '<|im_end|>\n' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' +"
        " ('<think>\n' if enable_thinking else '') }}{%- endif %}",
        ("<s>", "</s>", *IM),
        "<|im_end|>",
        "the template",
        TURN + "<think>\n",
        "\n</think>\n",
        "<|im_end|>",
        TURN,
    ),
    Fixture(
        "two switches, one of them words, a newline before the mark (Ling 3)",
        "{%- if enable_thinking is defined %}{%- set thinking_option = 'on' if enable_thinking else 'off' %}{%- elif thinking_option is"
        " not defined %}{%- set thinking_option = 'on' %}{%- endif %}{%- set preserved_thinking = true %}{{- '<role>SYSTEM</role>' }}"
        "{%- if messages[0].role == 'system' %}{%- if 'detailed thinking on' in messages[0].content or 'detailed thinking off' in"
        " messages[0].content %}{{- messages[0].content }}{%- else %}{{- messages[0].content + '\n' + 'detailed thinking ' +"
        " thinking_option }}{%- endif %}{%- else %}{{- 'detailed thinking ' + thinking_option }}{%- endif %}{{- '<|role_end|>' }}"
        "{%- for m in messages %}{%- if m.role == 'user' %}{{- '<role>HUMAN</role>' + m.content + '<|role_end|>' }}{%- elif m.role =="
        " 'assistant' %}{{- '<role>ASSISTANT</role>\n<think>' + (m.reasoning_content or '') + '</think>' + m.content + '<|role_end|>' }}"
        "{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<role>ASSISTANT</role>' }}{%- if thinking_option == 'on' %}"
        "{{- '\n<think>' }}{%- elif thinking_option == 'off' %}{{- '\n<think></think>' }}{%- endif %}{%- endif %}",
        ("<role>", "</role>", "<|role_end|>", *THINK),
        "<|role_end|>",
        "the template",
        "detailed thinking on<|role_end|><role>HUMAN</role>‹question›<|role_end|><role>ASSISTANT</role>\n<think>",
        "</think>",
        "<|role_end|>",
        "detailed thinking off<|role_end|><role>HUMAN</role>‹question›<|role_end|><role>ASSISTANT</role>\n<think></think>",
    ),
    Fixture(
        "a sentence's start and end as turns, closed by the mark alone (Spark 2.5)",
        "{%- set enable_thinking = enable_thinking | default(true) %}{{- '<｜start▁of▁sentence｜><|System|>\nBe helpful.' }}"
        "{%- if messages[0].role == 'system' %}{{- '\n\n' + messages[0].content }}{%- endif %}{{- '<｜end▁of▁sentence｜>' }}"
        "{%- for m in messages %}{%- if m.role == 'user' %}{{- '<｜start▁of▁sentence｜><|User|>' + m.content + '<｜end▁of▁sentence｜>' }}"
        "{%- elif m.role == 'assistant' %}{{- '<｜start▁of▁sentence｜><|Bot|>' + ('<think>' + m.reasoning_content if"
        " m.reasoning_content else '') + '</think>' + m.content + '<｜end▁of▁sentence｜>' }}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<｜start▁of▁sentence｜><|Bot|>' + ('<think>' if enable_thinking else '</think>') }}{%- endif %}",
        ("<｜start▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<|System|>", "<|User|>", "<|Bot|>", *THINK),
        "<｜end▁of▁sentence｜>",
        "the template",
        "<|Bot|><think>",
        "</think>",
        "<｜end▁of▁sentence｜>",
        "<|Bot|></think>",
    ),
    Fixture(
        "a switch with three states: opened, closed, the model's choice (MiniCPM5)",
        "{{- '<s>' }}"
        + chatml(
            SHOWN,
            ASSISTANT
            + "{%- if enable_thinking is defined %}{%- if enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}"
            "{%- elif enable_thinking is true %}{{- '<think>\n' }}{%- endif %}{%- endif %}",
        ),
        ("<s>", "</s>", *IM, *THINK),
        "</s>",
        "the template",
        TURN + "<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        TURN + "<think>\n\n</think>\n\n",
    ),
    Fixture(
        "must be told by either of two names, the marks in variables (DeepSeek-V4)",
        "{%- if not thinking is defined %}{%- set thinking = enable_thinking if enable_thinking is defined else false %}{%- endif %}"
        "{%- set opens = '<think>' %}{%- set closes = '</think>' %}{{- '<｜begin▁of▁sentence｜>' }}{%- for m in messages %}"
        "{%- if m.role == 'user' %}{{- '<｜User｜>' + m.content }}{%- elif m.role == 'assistant' %}{{- '<｜Assistant｜>' + (opens +"
        " (m.reasoning_content or '') if loop.last and thinking else '') + closes + m.content + '<｜end▁of▁sentence｜>' }}{%- else %}"
        "{{- m.content }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<｜Assistant｜>' + (opens if thinking else closes) }}"
        "{%- endif %}",
        ("<｜begin▁of▁sentence｜>", *DEEPSEEK),
        "<｜end▁of▁sentence｜>",
        "the template",
        "<｜Assistant｜><think>",
        "</think>",
        "<｜end▁of▁sentence｜>",
        "<｜Assistant｜></think>",
    ),
    Fixture(
        "a word and a space for the turn, closed unless told, or bare (RWKV-7 chat)",
        "{{- '<|im_start|>System: ' + (messages[0].content if messages[0].role == 'system' else 'Help.') + '<|im_end|>\n' }}"
        "{%- for m in messages %}{%- if m.role == 'user' %}{{- '<|im_start|>User: ' + m.content + '<|im_end|>\n' }}{%- elif m.role =="
        " 'assistant' %}{{- '<|im_start|>Assistant: ' + ('<think>\n' + m.reasoning_content + '\n</think>\n\n' if m.reasoning_content and"
        " (loop.last or (preserve_thinking is defined and preserve_thinking is true)) else '') + m.content + '<|im_end|>\n' }}{%- endif %}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>Assistant:' }}{%- if enable_thinking is defined and"
        " enable_thinking is true %}{{- ' <think>\n' }}{%- elif no_add_thinking is defined and no_add_thinking is true %}{{- ' ' }}"
        "{%- else %}{{- ' <think>\n\n</think>\n\n' }}{%- endif %}{%- endif %}",
        IM,
        "<|im_end|>",
        "the template",
        "<|im_start|>Assistant: <think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        "<|im_start|>Assistant: <think>\n\n</think>\n\n",
    ),
    Fixture(
        "channels, the thought in the last turn only (LLM-jp 4 thinking)",
        "{{- '<|start|>system<|message|>Reasoning: ' + (reasoning_effort if reasoning_effort is defined else 'medium') + '\n\n# Valid"
        " channels: analysis, commentary, final. Every message has one.<|end|>' }}{%- if messages[0].role == 'system' %}"
        "{{- '<|start|>developer<|message|># Instructions\n\n' + messages[0].content + '\n\n<|end|>' }}{%- endif %}"
        "{%- for m in messages %}{%- if m.role == 'assistant' %}{%- if '<|channel|>final<|message|>' in m.content %}"
        "{{- raise_exception('give the thought as thinking') }}{%- endif %}{%- if loop.last and not add_generation_prompt %}"
        "{%- if 'thinking' in m %}{{- '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}{%- endif %}"
        "{{- '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|return|>' }}{%- else %}"
        "{{- '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}{%- endif %}{%- elif m.role == 'user' %}"
        "{{- '<|start|>user<|message|>' + m.content + '<|end|>' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}"
        "{{- '<|start|>assistant' }}{%- endif %}",
        ("<|start|>", "<|message|>", "<|end|>", "<|return|>", "<|channel|>", "<|call|>", "<|constrain|>"),
        "<|return|>",
        "we",
        "<|start|>assistant<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
        "<|return|>",
        "<|channel|>analysis<|message|><|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    Fixture(
        "no end of turn, opened, closed by the mark alone (GLM-4.7)",
        ZHIPU.replace("HEAD", "")
        .replace("EMPTY", "'</think>'")
        .replace("OPEN", "('</think>' if (enable_thinking is defined and not enable_thinking) else '<think>')"),
        ZHIPU_TOKENS,
        "<|endoftext|>",
        "the template",
        "<|user|>‹question›<|assistant|><think>",
        "</think>",
        "<|endoftext|>",
        "<|user|>‹question›<|assistant|></think>",
    ),
    Fixture(
        "no end of turn, opened always, an effort with a capital (GLM-5.3)",
        ZHIPU.replace("HEAD", EFFORTS + "{{- '<|system|>Reasoning Effort: ' ~ (effort | capitalize) }}")
        .replace("EMPTY", "'<think></think>'")
        .replace("OPEN", "'<think>'"),
        ZHIPU_TOKENS,
        "<|endoftext|>",
        "the template",
        "<|system|>Reasoning Effort: Max<|user|>‹question›<|assistant|><think>",
        "</think>",
        "<|endoftext|>",
        "<|assistant|><think></think>",
    ),
    Fixture(
        "turns without a newline between, an effort and a switch (Naive N0.5)",
        EFFORTS
        + "{{- '<|im_start|>system\nReasoning Effort: ' ~ (effort | capitalize) ~ '<|im_end|>' }}{%- if not enable_thinking is"
        " defined %}{%- set enable_thinking = true %}{%- endif %}{%- if not keep_all_reasoning is defined %}{%- set keep_all_reasoning ="
        " true %}{%- endif %}{{- '<|im_start|>system\n' + (messages[0].content if messages[0].role == 'system' else 'Help.') +"
        " '<|im_end|>' }}{%- for m in messages %}{%- if m.role == 'assistant' %}{{- '<|im_start|>assistant\n<think>' +"
        " (m.reasoning_content if m.reasoning_content is string and (keep_all_reasoning or loop.last) else '') + '</think>' + m.content"
        " + '<|im_end|>' }}{%- elif m.role == 'user' %}{{- '<|im_start|>user\n' + m.content + '<|im_end|>' }}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' + ('' if enable_thinking else '<think></think>') }}{%- endif %}",
        (*IM, *THINK),
        "<|im_end|>",
        "we",
        "Reasoning Effort: Max<|im_end|><|im_start|>system\nHelp.<|im_end|><|im_start|>user\n‹question›<|im_end|><|im_start|>assistant\n<think>",
        "</think>",
        "<|im_end|>",
        "‹question›<|im_end|><|im_start|>assistant\n<think></think>",
    ),
    Fixture(
        "closed unless told, no user turn refused (Qwen3.5, small)",
        "{%- set ns = namespace(asked=false) %}{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.asked = true %}{%- endif %}"
        "{%- endfor %}{%- if not ns.asked %}{{- raise_exception('no question') }}{%- endif %}"
        + chatml(
            "('<think>\n' + ((m.reasoning_content or '') | trim) + '\n</think>\n\n' if loop.last else '')",
            ASSISTANT + "{%- if enable_thinking is defined and enable_thinking is true %}"
            "{{- '<think>\n' }}{%- else %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}",
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
        "thoughts by three names, tight, in what is trained on (LFM2.5, later template)",
        "{%- set preserve_thinking = preserve_thinking | default(false) -%}{%- for m in messages -%}{{- '<|im_start|>' + m.role + '\n' -}}"
        "{%- if m.role == 'assistant' -%}{%- generation -%}{%- set thinking = m.thinking or m.reasoning or m.reasoning_content -%}"
        "{%- set thinking = thinking if thinking is string else '' -%}{%- if thinking and (preserve_thinking or loop.last) -%}"
        "{{- '<think>' + thinking + '</think>' -}}{%- endif -%}{%- set content = m.content -%}{%- if not (preserve_thinking or loop.last)"
        " and '</think>' in content -%}{%- set content = content.split('</think>')[-1] | trim -%}{%- endif -%}"
        "{{- content + '<|im_end|>\n' -}}{%- endgeneration -%}{%- else -%}{{- m.content + '<|im_end|>\n' -}}{%- endif -%}"
        "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}",
        (*IM, *THINK),
        "<|im_end|>",
        "we",
        TURN + "<think>",
        "</think>",
        "<|im_end|>",
        TURN + "<think></think>",
    ),
    Fixture(
        "brackets for turns, opened always (MiniMax-M2)",
        "{{- ']~!b[]~b]system\n' + (messages[0].content if messages[0].role == 'system' else 'Help.') + '[e~[\n' }}{%- for m in messages %}"
        "{%- if m.role == 'assistant' %}{{- ']~b]ai\n' + ('<think>\n' + m.reasoning_content + '\n</think>\n\n' if m.reasoning_content and"
        " loop.last else '') + m.content + '[e~[\n' }}{%- elif m.role == 'user' %}{{- ']~b]user\n' + m.content + '[e~[\n' }}{%- endif %}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- ']~b]ai\n<think>\n' }}{%- endif %}",
        ("]~!b[", "]~b]", "[e~[", *THINK),
        "[e~[",
        "the template",
        "]~b]user\n‹question›[e~[\n]~b]ai\n<think>\n",
        "\n</think>\n\n",
        "[e~[",
        "]~b]ai\n<think>\n\n</think>\n\n",
    ),
    Fixture(
        "an effort of none or high in the prompt, none by default (Mistral Small 4)",
        "{{- '<s>' }}{%- if messages[0].role == 'system' %}{{- '[SYSTEM_PROMPT]' + messages[0].content + '[/SYSTEM_PROMPT]' }}{%- endif %}"
        "{%- if reasoning_effort is not defined or reasoning_effort is none %}{%- set reasoning_effort = 'none' %}{%- endif %}"
        "{%- if reasoning_effort not in ['none', 'high'] %}{{- raise_exception('reasoning_effort is none or high') }}{%- endif %}"
        "{{- '[MODEL_SETTINGS]{\"reasoning_effort\": \"' + reasoning_effort + '\"}[/MODEL_SETTINGS]' }}{%- for m in messages %}"
        "{%- if m.role == 'user' %}{{- '[INST]' + m.content + '[/INST]' }}{%- elif m.role == 'assistant' %}{%- if m.content is string %}"
        "{{- m.content }}{%- else %}{%- for part in m.content %}{{- '[THINK]' + part.thinking + '[/THINK]' if part.type == 'thinking'"
        " else part.text }}{%- endfor %}{%- endif %}{{- '</s>' }}{%- endif %}{%- endfor %}",
        (
            "<s>",
            "</s>",
            "[SYSTEM_PROMPT]",
            "[/SYSTEM_PROMPT]",
            "[INST]",
            "[/INST]",
            "[THINK]",
            "[/THINK]",
            "[MODEL_SETTINGS]",
            "[/MODEL_SETTINGS]",
        ),
        "</s>",
        "we",
        '{"reasoning_effort": "high"}[/MODEL_SETTINGS][INST]‹question›[/INST][THINK]',
        "[/THINK]",
        "</s>",
        '{"reasoning_effort": "none"}[/MODEL_SETTINGS][INST]‹question›[/INST]',
    ),
    Fixture(
        "opened unless told, the answer in a text block (Cohere North)",
        "{%- set reasoning = reasoning if reasoning is not undefined else (false if reasoning_effort is defined and reasoning_effort |"
        " lower == 'none' else true) %}{%- for m in messages %}{{- '<|START_OF_TURN_TOKEN|><|' + ('CHATBOT' if m.role == 'assistant'"
        " else m.role | upper) + '_TOKEN|><|START_TEXT|>' + m.content + '<|END_TEXT|><|END_OF_TURN_TOKEN|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{{- '<|START_THINKING|>' if reasoning else"
        " '<|START_THINKING|><|END_THINKING|>' }}{%- endif %}",
        (
            "<|START_OF_TURN_TOKEN|>",
            "<|CHATBOT_TOKEN|>",
            "<|USER_TOKEN|>",
            "<|SYSTEM_TOKEN|>",
            "<|START_TEXT|>",
            "<|END_TEXT|>",
            "<|END_OF_TURN_TOKEN|>",
            "<|START_THINKING|>",
            "<|END_THINKING|>",
        ),
        "<|END_OF_TURN_TOKEN|>",
        "the template",
        "<|CHATBOT_TOKEN|><|START_THINKING|>",
        "<|END_THINKING|><|START_TEXT|>",
        "<|END_TEXT|><|END_OF_TURN_TOKEN|>",
        "<|CHATBOT_TOKEN|><|START_THINKING|><|END_THINKING|>",
    ),
    Fixture(
        "a mode in its own system turn, by a switch or by the user's words (SmolLM3)",
        "{%- if enable_thinking is not defined -%}{%- set enable_thinking = true -%}{%- endif -%}{%- set reasoning_mode = '/think' if"
        " enable_thinking else '/no_think' -%}{{- '<|im_start|>system\n' -}}{%- if messages[0].role == 'system' -%}{%- set s ="
        " messages[0].content -%}{%- if '/no_think' in s -%}{%- set reasoning_mode = '/no_think' -%}{%- elif '/think' in s -%}"
        "{%- set reasoning_mode = '/think' -%}{%- endif -%}{%- set own = s.replace('/no_think', '').replace('/think', '').rstrip() -%}"
        "{%- endif -%}{{- '## Metadata\n\nReasoning Mode: ' + reasoning_mode + '\n\n## Custom Instructions\n\n' -}}{%- if own -%}"
        "{{- own + '\n\n' -}}{%- elif reasoning_mode == '/think' -%}{{- 'Two sections: <think> Thought section </think> Solution"
        " section.\n\n' -}}{%- else -%}{{- 'Help.\n\n' -}}{%- endif -%}{{- '<|im_end|>\n' -}}{%- for m in messages -%}"
        "{%- if m.role == 'user' -%}{{ '<|im_start|>user\n' + m.content + '<|im_end|>\n' }}{%- elif m.role == 'assistant' -%}"
        "{%- generation -%}{{ '<|im_start|>assistant\n' + ('' if reasoning_mode == '/think' else '<think>\n\n</think>\n') +"
        " m.content.lstrip('\n') + '<|im_end|>\n' }}{%- endgeneration -%}{%- endif -%}{%- endfor -%}{%- if add_generation_prompt -%}"
        "{{ '<|im_start|>assistant\n' + ('' if reasoning_mode == '/think' else '<think>\n\n</think>\n') }}{%- endif -%}",
        (*IM, *THINK),
        "<|im_end|>",
        "we",
        TURN + "<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        TURN + "<think>\n\n</think>\n",
    ),
    Fixture(
        "words, its generation prompt always and no end of the last turn (Apriel 1.6)",
        "{%- set add_generation_prompt = true -%}{%- set asked -%}Reason step by step, then the marker [BEGIN FINAL RESPONSE] and the"
        " answer.{%- endset -%}{%- set opens = 'Here are my reasoning steps:\n' -%}{%- if messages[0].role != 'system' -%}"
        "{{ '<|begin_system|>\n' + asked + '\n' }}{%- endif -%}{%- for m in messages -%}{%- if m.role == 'user' -%}"
        "{{ '<|begin_user|>\n' }}{{- m.content }}{%- elif m.role == 'system' -%}{{ '<|begin_system|>\n' + asked + '\n' + m.content + '\n' }}"
        "{%- elif m.role == 'assistant' -%}{{ '\n<|begin_assistant|>\n' }}{%- if not loop.last and '[BEGIN FINAL RESPONSE]' in m.content -%}"
        "{{- m.content.split('[BEGIN FINAL RESPONSE]')[-1] | trim -}}{%- else -%}{{- m.content -}}{%- endif -%}"
        "{%- set training_prompt = training_prompt if training_prompt is defined else false -%}{%- if not loop.last or training_prompt -%}"
        "{{ '\n<|end|>\n' }}{%- endif -%}{%- endif -%}{%- if loop.last and add_generation_prompt and m.role != 'assistant' -%}"
        "{{ '\n<|begin_assistant|>\n' + opens }}{%- endif -%}{%- endfor -%}",
        ("<|begin_system|>", "<|begin_user|>", "<|begin_assistant|>", "<|end|>"),
        "<|end|>",
        "the template",
        "<|begin_user|>\n‹question›\n<|begin_assistant|>\nHere are my reasoning steps:\n",
        "\n[BEGIN FINAL RESPONSE]\n",
        "<|end|>",
        "Here are my reasoning steps:\n\n[BEGIN FINAL RESPONSE]\n",
    ),
)
