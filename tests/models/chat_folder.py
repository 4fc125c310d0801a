"""Whole chat models that are tiny: a decoder with random weights, a tokenizer, a chat template.

They speak nonsense, but they speak it in the form that chat models have; no project code.
"""

import functools
import json
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from tests.models.decoder import Shape, random_weights
from tests.models.decoder_folder import write_decoder

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MARKS = ("<tool_call>", "</tool_call>", "<think>", "</think>")
SHAPE = Shape(vocabulary=420, context=512)
"""More ids than the tokenizer has, as exports pad them."""

TEXTS = (
    "The quick brown fox jumps over the lazy dog. Once upon a time there was a princess.",
    "What is the weather in Paris? Tell me the time in Berlin, please. Hello! How are you?",
    '{"name": "get_weather", "arguments": {"city": "Paris", "unit": "celsius"}}',
    '{"type": "object", "properties": {"a": 1, "b": [true, false, null]}}',
    "naïve café, Zürich, 👩‍🚀🚀 and 🏳️‍🌈 flags 🇨🇭. 我们去公园散步吧。",
)

TEMPLATE = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
    {{- 'Tools:\\n' }}
    {%- for tool in tools %}{{- tool | tojson + '\\n' }}{%- endfor %}
    {{- 'Call one as <tool_call>\\n{"name": …, "arguments": …}\\n</tool_call><|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'tool' %}
        {{- '<|im_start|>user\\nResult: ' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role != 'system' %}
        {{- '<|im_start|>' + message.role + '\\n' + (message.content or '') }}
        {%- for call in message.tool_calls or [] %}
            {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
            {{- call.function.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

_SPEAKS = "'<|im_start|>assistant\\n'"
THINKING = TEMPLATE.replace(_SPEAKS, _SPEAKS[:-1] + "<think>\\n'") + "{#- until </think> #}"
"""The same for a model that begins with thoughts."""


@functools.cache
def chat_tokenizer() -> tokenizers.Tokenizer:
    """Return a small byte-level BPE with the tokens of ChatML; the marks of calls are plain."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        show_progress=False,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_tokens(list(MARKS))
    return tokenizer


def write_chat_model(
    folder: Path, *, seed: int = 0, shape: Shape = SHAPE, template: str = TEMPLATE, **form: Any
) -> Path:
    """Write a whole model folder and return it.

    Args:
        folder: Where it goes.
        seed: Of its weights.
        shape: Of its decoder.
        template: Its chat template; an empty one is not written.
        **form: As in `Form`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = chat_tokenizer()
    end = tokenizer.token_to_id("<|im_end|>")
    write_decoder(folder, shape, random_weights(shape, seed), **{"eos": (end,), **form})
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    if template:
        (folder / "chat_template.jinja").write_text(template)
    return folder
