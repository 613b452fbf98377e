"""What a model's chat template says about thinking, read by rendering it: no model's name is looked at.

The template is asked for a generation prompt with every switch that it knows, and for a turn that holds a thought
(`template`). From the texts follow who opens the thought, how thinking and not thinking are asked for (`asks`), between
which strings it stands (`delimiters`), and what ends a turn (`ends`); `reading` puts them together. Where a template
tells nothing of that, its words and the tokenizer's special tokens are compared with `harness.thinking.FAMILIES`.
"""
