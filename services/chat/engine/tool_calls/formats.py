"""The formats in which models call tools, by name, and which of them a chat template writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from services.chat.engine.reader import Reader, Steps
from services.chat.engine.tool_calls import deepseek, gpt_oss, llama, mistral, tagged
from services.chat.engine.tool_calls.content import read_content
from services.chat.engine.tool_calls.json_calls import read_calls
from services.chat.engine.tool_calls.parser import CallParser, Grammar
from services.chat.engine.tool_calls.shapes import CallShape, json_shape
from services.chat.engine.tool_calls.sink import (
    Characters,
    IdShape,
    Sink,
    Tools,
    random_characters,
)

_IDS = IdShape()
_MISTRAL_IDS = IdShape(prefix="", characters=9)
"""Mistral's templates refuse messages with other ids."""


@dataclass(frozen=True, slots=True)
class CallFormat:
    """How one family of models calls tools."""

    grammar: Grammar
    """Reads calls, also those that stray a little from the shape."""
    shape: CallShape
    """How calls are written where they are enforced."""
    marks: tuple[str, ...]
    """Marks that may be special tokens: the text has to show them to the grammar."""
    is_written_by: Callable[[str], bool]
    """Whether a chat template of this text writes calls so."""
    ids: IdShape = _IDS
    tells_reasoning: bool = False
    """Whether the grammar also tells thoughts from words."""

    def new_parser(self, tools: Tools, characters: Characters = random_characters) -> CallParser:
        """Return what reads one answer.

        Args:
            tools: The tools that the caller offers.
            characters: What ids are made of.
        """
        return CallParser(self.grammar, Sink(tools, self.ids, characters))


def _has(*marks: str) -> Callable[[str], bool]:
    return lambda template: all(mark in template for mark in marks)


def _read_between(reader: Reader, sink: Sink, *, begins: Sequence[str], end: str) -> Steps[None]:
    yield from read_content(reader, sink, begins, lambda _mark: read_calls(reader, sink, end))


def _json(
    begin: str,
    end: str,
    is_written_by: Callable[[str], bool],
    *,
    is_list: bool = False,
    also: tuple[str, ...] = (),
) -> CallFormat:
    """Return a format of JSON objects between marks, `also` being others that models write."""
    gap = "" if is_list else "\n"
    return CallFormat(
        partial(_read_between, begins=(begin, *also), end=end),
        json_shape(begin + gap, gap + end, is_list=is_list, separator=gap),
        (begin, end),
        is_written_by,
    )


def _tagged(tags: tagged.CallTags, is_written_by: Callable[[str], bool]) -> CallFormat:
    gap = "\n" if tags.name_begin else ""
    return CallFormat(
        tags.read,
        CallShape(
            head=f"{tags.begin}{gap}{tags.name_begin}",
            middle=f"{tags.name_end}\n",
            tail=f"{tags.call_end}{gap}{tags.end}",
            separator="\n",
            parameters=tags.parameters,
        ),
        tuple(filter(None, (tags.begin, tags.end or tags.call_end))),
        is_written_by,
    )


def _deepseek(fence: tuple[str, str, str], is_written_by: Callable[[str], bool]) -> CallFormat:
    kind, begin, end = fence
    return CallFormat(
        deepseek.deepseek,
        CallShape(
            head=f"{deepseek.CALL_BEGIN}{kind}",
            middle=begin,
            tail=f"{end}{deepseek.CALL_END}",
            before=deepseek.BEGIN,
            separator="\n" if kind else "",
            after=deepseek.END,
        ),
        deepseek.MARKS,
        is_written_by,
    )


FORMATS: dict[str, CallFormat] = {
    "deepseek_v3": _deepseek(
        (f"function{deepseek.SEPARATOR}", "\n```json\n", "\n```"),
        _has(deepseek.BEGIN, "```json"),
    ),
    "deepseek_v31": _deepseek(("", deepseek.SEPARATOR, ""), _has(deepseek.BEGIN)),
    "gpt_oss": CallFormat(
        gpt_oss.gpt_oss,
        CallShape(
            head=f"{gpt_oss.CHANNEL}commentary to={gpt_oss.FUNCTIONS}",
            middle=f" {gpt_oss.CONSTRAIN}json{gpt_oss.MESSAGE}",
            tail="<|call|>",
            can_repeat=False,
        ),
        gpt_oss.MARKS,
        _has(gpt_oss.CHANNEL, gpt_oss.MESSAGE),
        tells_reasoning=True,
    ),
    "mistral": CallFormat(
        mistral.mistral,
        json_shape(mistral.BEGIN, "", is_list=True),
        mistral.MARKS,
        _has(f"{mistral.BEGIN}["),
        _MISTRAL_IDS,
    ),
    "mistral_args": CallFormat(
        mistral.mistral,
        CallShape(head=mistral.BEGIN, middle="[ARGS]", tail=""),
        mistral.MARKS,
        _has(mistral.BEGIN),
        _MISTRAL_IDS,
    ),
    "seed_oss": _tagged(tagged.SEED_OSS, _has("<seed:tool_call>")),
    "glm": _tagged(tagged.GLM, _has("<arg_key>", "<tool_call>")),
    "qwen_coder": _tagged(tagged.QWEN_CODER, _has("<function=", "<parameter=", "<tool_call>")),
    "apriel": _json("<tool_calls>", "</tool_calls>", _has("<tool_calls>["), is_list=True),
    "hermes": _json("<tool_call>", "</tool_call>", _has("<tool_call>", "arguments")),
    "granite": _json("<|tool_call|>", "", _has("<|tool_call|>"), is_list=True),
    "phi4": _json(
        "<|tool_call|>", "<|/tool_call|>", _has("<|/tool|>"), is_list=True, also=("functools",)
    ),
    "functools": _json("functools", "", _has("functools["), is_list=True),
    "llama3": CallFormat(
        llama.llama,
        json_shape("", "", arguments_key="parameters", separator="; "),
        (llama.BEGIN,),
        _has('"parameters":', "ipython"),
    ),
}
"""A format for each family; a template is of the first one that recognises it."""


def detect_format(template: str) -> CallFormat | None:
    """Return the format that a chat template writes; None where it is none of ours."""
    return next((each for each in FORMATS.values() if each.is_written_by(template)), None)
