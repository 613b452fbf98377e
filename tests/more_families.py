# ruff: noqa: E501  (templates)
"""More families than `tests.families`, written from what is public of them before the reader of templates was tried on
one: what it gets right here, it was not fitted to."""

from __future__ import annotations

from tests.families import ASSISTANT, IM, Fixture, chatml

LLAMA = (
    "{%- for m in messages %}{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + PART + '<|eot_id|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
)
LLAMA_TOKENS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>")
HEADER = "assistant<|end_header_id|>\n\n"
MOONSHOT = (
    "{%- for m in messages %}{%- if m.role == 'assistant' %}{{- '<|im_assistant|>assistant<|im_middle|><think>' +"
    " (m.reasoning_content or '') + '</think>' + m.content + '<|im_end|>' }}{%- else %}{{- '<|im_' + m.role + '|>' +"
    " m.role + '<|im_middle|>' + m.content + '<|im_end|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_assistant|>assistant<|im_middle|>' }}"
)
MOONSHOT_TOKENS = ("<|im_assistant|>", "<|im_user|>", "<|im_middle|>", "<|im_end|>", "<think>", "</think>")

HELD_BACK = (
    Fixture(
        "the effort names the mark (K2-Horizon)",
        "{%- set effort = reasoning_effort if reasoning_effort is defined else 'high' %}{%- for m in messages %}"
        "{{- '<|ifm|im_start|>' + m.role + '\n' + m.content + '<|ifm|im_end|>\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|ifm|im_start|>assistant\n' }}{%- if effort == 'high' %}{{- '<ifm|think>' }}"
        "{%- elif effort == 'medium' %}{{- '<ifm|think_fast>' }}{%- elif effort == 'low' %}{{- '<ifm|think_faster>' }}"
        "{%- else %}{{- raise_exception('no such effort') }}{%- endif %}{%- endif %}",
        (
            "<|ifm|im_start|>",
            "<|ifm|im_end|>",
            "<ifm|think>",
            "</ifm|think>",
            "<ifm|think_fast>",
            "</ifm|think_fast>",
            "<ifm|think_faster>",
            "</ifm|think_faster>",
        ),
        "<|ifm|im_end|>",
        "the template",
        "assistant\n<ifm|think>",
        "</ifm|think>",
        "<|ifm|im_end|>",
        "assistant\n<ifm|think></ifm|think>",
    ),
    Fixture(
        "tags with the family's name (LongCat-Flash-Thinking)",
        "{%- for m in messages %}{{- '<longcat_' + m.role + '>' + m.content + ('</longcat_s>' if m.role == 'assistant'"
        " else '') }}{%- endfor %}{%- if add_generation_prompt %}{{- '<longcat_assistant>' }}{%- if enable_thinking is"
        " defined and not enable_thinking %}{{- '<longcat_think>\n\n</longcat_think>\n' }}{%- else %}"
        "{{- '<longcat_think>\n' }}{%- endif %}{%- endif %}",
        (
            "<longcat_user>",
            "<longcat_assistant>",
            "<longcat_system>",
            "</longcat_s>",
            "<longcat_think>",
            "</longcat_think>",
        ),
        "</longcat_s>",
        "the template",
        "<longcat_assistant><longcat_think>\n",
        "\n</longcat_think>\n",
        "</longcat_s>",
        "<longcat_think>\n\n</longcat_think>\n",
    ),
    Fixture(
        "the answer in tags of its own (ERNIE-4.5-Thinking)",
        chatml(
            "'<think>\n' + m.reasoning_content + '\n</think>\n\n\n<response>\n' + m.content + '\n</response>\n'",
            ASSISTANT + "{{- '<think>\n' }}",
        ).replace(" + m.content + '<|im_end|>\n' }}{%- else", " + '<|im_end|>\n' }}{%- else", 1),
        (*IM, "<think>", "</think>", "<response>", "</response>", "</s>"),
        "</s>",
        "the template",
        "assistant\n<think>\n",
        "\n</think>\n\n\n<response>\n",
        "\n</response>\n<|im_end|>",
        "assistant\n<think>\n\n</think>\n\n\n<response>\n",
    ),
    Fixture(
        "a turn with a name for the thought (HyperCLOVA X SEED Think)",
        "{%- for m in messages %}{%- if m.role == 'assistant' and m.reasoning_content %}{{- '<|im_start|>assistant/think\n' +"
        " m.reasoning_content + '<|im_end|>\n' }}{%- endif %}{{- '<|im_start|>' + m.role + '\n' + m.content +"
        " '<|im_end|>\n' }}{%- endfor %}{%- if add_generation_prompt %}{%- if force_reasoning is defined and force_reasoning %}"
        "{{- '<|im_start|>assistant/think\n' }}{%- elif skip_reasoning is defined and skip_reasoning %}"
        "{{- '<|im_start|>assistant\n' }}{%- else %}{{- '<|im_start|>assistant' }}{%- endif %}{%- endif %}",
        IM,
        "<|im_end|>",
        "the template",
        "<|im_start|>assistant/think\n",
        "<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
        "<|im_start|>assistant\n",
    ),
    Fixture(
        "a sentence in the system turn asks for it (Cogito v1)",
        "{%- if enable_thinking is defined and enable_thinking %}{{- '<|start_header_id|>system<|end_header_id|>\n\nEnable"
        " deep thinking subroutine.<|eot_id|>' }}{%- endif %}" + LLAMA.replace("PART", "m.content") + "{%- endif %}",
        LLAMA_TOKENS,
        "<|eot_id|>",
        "we",
        "Enable deep thinking subroutine.<|eot_id|><|start_header_id|>user<|end_header_id|>"
        "\n\n‹question›<|eot_id|><|start_header_id|>" + HEADER + "<think>\n",
        "\n</think>\n\n",
        "<|eot_id|>",
        HEADER,
    ),
    Fixture(
        "a word in the system turn closes an empty block (Nemotron Super v1.5)",
        "{%- set ns = namespace(off=false) %}{%- if messages[0].role == 'system' and '/no_think' in messages[0].content %}"
        "{%- set ns.off = true %}{%- endif %}"
        + LLAMA.replace(
            "PART", "(m.content.split('</think>')[-1] if m.role == 'assistant' else m.content.replace('/no_think', ''))"
        )
        + "{%- if ns.off %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}{%- endif %}",
        LLAMA_TOKENS,
        "<|eot_id|>",
        "we",
        HEADER + "<think>\n",
        "\n</think>\n\n",
        "<|eot_id|>",
        HEADER + "<think>\n\n</think>\n\n",
    ),
    Fixture(
        "its own system turn asks for the block, always (Phi-4-reasoning)",
        "{{- '<|im_start|>system<|im_sep|>Structure your response as <think> {thoughts} </think> {solution}.<|im_end|>' }}"
        "{%- for m in messages %}{%- if m.role != 'system' %}{{- '<|im_start|>' + m.role + '<|im_sep|>' + m.content +"
        " '<|im_end|>' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant<|im_sep|>' }}{%- endif %}",
        (*IM, "<|im_sep|>"),
        "<|im_end|>",
        "we",
        "assistant<|im_sep|><think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        "assistant<|im_sep|><think>\n\n</think>\n\n",
    ),
    Fixture(
        "nothing in the template tells of a thought (Phi-4-mini-reasoning)",
        "{%- for m in messages %}{{- '<|' + m.role + '|>' + m.content + '<|end|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}",
        ("<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|endoftext|>"),
        "<|endoftext|>",
        "we",
        "<|assistant|><think>\n",
        "\n</think>\n\n",
        "<|end|>",
        "<|assistant|>",
    ),
    Fixture(
        "opened without a newline, the last turn ends in the end of text (Olmo-3-Think)",
        "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + m.content }}{%- if m.role == 'assistant' and loop.last %}"
        "{{- eos_token }}{%- else %}{{- '<|im_end|>\n' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}"
        "{{- '<|im_start|>assistant\n<think>' }}{%- endif %}",
        IM,
        "<|endoftext|>",
        "the template",
        "assistant\n<think>",
        "</think>",
        "<|endoftext|>",
        "assistant\n<think></think>",
    ),
    Fixture(
        "a word behind the question closes an empty block (MiMo-VL)",
        chatml(
            "''",
            ASSISTANT + "{%- if messages[-1].content.endswith('/no_think') %}{{- '<think>\n</think>\n' }}{%- endif %}",
        ),
        (*IM, "<think>", "</think>"),
        "<|im_end|>",
        "we",
        "assistant\n<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        "/no_think<|im_end|>\n<|im_start|>assistant\n<think>\n</think>\n",
    ),
    Fixture(
        "the answer in tags, a switch for the block (Hunyuan-A13B)",
        "{%- for m in messages %}{%- if m.role == 'assistant' %}{%- set c = m.content %}{%- if '<answer>' in c %}"
        "{%- set c = c.split('<answer>')[-1].split('</answer>')[0] %}{%- endif %}{{- c + '<|eos|>' }}{%- else %}"
        "{{- '<|startoftext|>' + m.content + '<|extra_0|>' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}"
        "{%- if enable_thinking is defined and not enable_thinking %}{{- '<think>\n\n</think>\n' }}{%- endif %}{%- endif %}",
        ("<|startoftext|>", "<|extra_0|>", "<|eos|>"),
        "<|eos|>",
        "we",
        "<|extra_0|><think>\n",
        "\n</think>\n<answer>\n",
        "\n</answer><|eos|>",
        "<|extra_0|><think>\n\n</think>\n",
    ),
    Fixture(
        "sentences for turns (MiniMax-M1)",
        "{{- '<begin_of_document>' }}{%- for m in messages %}{{- '<beginning_of_sentence>' + ('ai name=Assistant' if m.role =="
        " 'assistant' else m.role + ' name=user') + '\n' + m.content + '<end_of_sentence>\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<beginning_of_sentence>ai name=Assistant\n<think>\n' }}{%- endif %}",
        ("<begin_of_document>", "<beginning_of_sentence>", "<end_of_sentence>"),
        "<end_of_sentence>",
        "the template",
        "ai name=Assistant\n<think>\n",
        "\n</think>\n\n",
        "<end_of_sentence>",
        "Assistant\n<think>\n\n</think>\n\n",
    ),
    Fixture(
        "an option on or off in the system turn (Ling)",
        "{{- '<role>SYSTEM</role>detailed thinking ' + (thinking_option if thinking_option is defined else 'off') +"
        " '<|role_end|>' }}{%- for m in messages %}{{- '<role>' + ('ASSISTANT' if m.role == 'assistant' else 'HUMAN') +"
        " '</role>' + ('<think>\n' + m.reasoning_content + '\n</think>\n\n' if m.reasoning_content else '') + m.content +"
        " '<|role_end|>' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<role>ASSISTANT</role>' }}{%- endif %}",
        ("<role>", "</role>", "<|role_end|>", "<think>", "</think>"),
        "<|role_end|>",
        "we",
        "detailed thinking on<|role_end|><role>HUMAN</role>‹question›<|role_end|><role>ASSISTANT</role><think>\n",
        "\n</think>\n\n",
        "<|role_end|>",
        "detailed thinking off<|role_end|><role>HUMAN</role>‹question›<|role_end|><role>ASSISTANT</role>",
    ),
    Fixture(
        "the template of a reasoner without a switch (Kimi-K2-Thinking)",
        MOONSHOT + "{%- endif %}",
        MOONSHOT_TOKENS,
        "<|im_end|>",
        "we",
        "<|im_middle|><think>",
        "</think>",
        "<|im_end|>",
        "<|im_middle|><think></think>",
    ),
    Fixture(
        "the same with a switch, opened (Kimi-K2.5)",
        MOONSHOT + "{{- '<think></think>' if thinking is defined and thinking is false else '<think>' }}{%- endif %}",
        MOONSHOT_TOKENS,
        "<|im_end|>",
        "the template",
        "<|im_middle|><think>",
        "</think>",
        "<|im_end|>",
        "<|im_middle|><think></think>",
    ),
    Fixture(
        "closed by the mark alone unless told (Laguna)",
        "{%- for m in messages %}{{- '<' + m.role + '>\n' + ('<think>' + m.reasoning_content + '</think>' if m.reasoning_content"
        " else '') + m.content + '\n</' + m.role + '>\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<assistant>\n' }}"
        "{{- '<think>' if enable_thinking is defined and enable_thinking else '</think>' }}{%- endif %}",
        ("<user>", "</user>", "<assistant>", "</assistant>", "<think>", "</think>"),
        "</assistant>",
        "the template",
        "<assistant>\n<think>",
        "</think>",
        "\n</assistant>",
        "<assistant>\n</think>",
    ),
    Fixture(
        "a switch that is about earlier thoughts (LFM2.5-Thinking)",
        "{%- set keep = keep_past_thinking if keep_past_thinking is defined else false %}{%- for m in messages %}"
        "{%- set c = m.content %}{%- if m.role == 'assistant' and not keep and '</think>' in c %}"
        "{%- set c = c.split('</think>')[-1] %}{%- endif %}{{- '<|im_start|>' + m.role + '\n' + c + '<|im_end|>\n' }}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}",
        (*IM, "<think>", "</think>"),
        "<|im_end|>",
        "we",
        "assistant\n<think>\n",
        "\n</think>\n\n",
        "<|im_end|>",
        "assistant\n<think>\n\n</think>\n\n",
    ),
    Fixture(
        "words for turns and another name for the block (Reka Flash 3)",
        "{%- for m in messages %}{%- set c = m.content %}{%- if m.role == 'assistant' and '</reasoning>' in c %}"
        "{%- set c = c.split('</reasoning>')[-1] %}{%- endif %}{{- ('human: ' if m.role == 'user' else m.role + ': ') + c +"
        " ' <sep> ' }}{%- endfor %}{%- if add_generation_prompt %}{{- 'assistant: ' }}{%- endif %}",
        ("<sep>",),
        "<sep>",
        "we",
        "assistant: <reasoning>\n",
        "\n</reasoning>\n\n",
        " <sep>",
        "assistant: <reasoning>\n\n</reasoning>\n\n",
    ),
)
