"""What callers ask of a chat model, whichever door they came through; it knows no tokens."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.chat.engine.request import MAX_CHOICES, Sampling
from services.runtime.errors import InvalidRequestError, shown

MAX_STOPS = 4
MAX_STOP_CHARACTERS = 1000
"""Of one stop string: each choice looks for it on its own."""
MAX_TOOLS = 128
MAX_ANSWERS = 2048
"""Of one request, to all of its prompts."""
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What a tool may be called."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call."""

    name: str
    """1 to 64 letters, digits, underscores and dashes."""
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    """JSON schema of the arguments, its keys in the caller's order; None: any object."""
    strict: bool = False
    """Whether the arguments keep to the schema even where the model calls it of its own accord."""
    param: str = field(default="tools", compare=False)
    """The field that its schema came in, for messages."""

    @property
    def definition(self) -> dict[str, Any]:
        """OpenAI's object, as templates show it to the model."""
        function: dict[str, Any] = {"name": self.name}
        if self.description is not None:
            function["description"] = self.description
        function["parameters"] = self.parameters or {"type": "object", "properties": {}}
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tools the model may or has to call."""

    mode: Literal["none", "auto", "required"] = "auto"
    names: frozenset[str] | None = None
    """The tools that it may call; None: all."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """What the content of an answer has to look like."""

    kind: Literal["json_object", "json_schema", "regex", "lark", "choice"]
    value: Any = None
    """The schema (an object or a boolean), the pattern, the grammar, or the list of texts."""
    strict: bool = False
    """Whether a schema has to be kept in every keyword; else those that cannot be kept are left."""
    param: str = "response_format"
    """The field that it came in, for messages."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a caller wants the answer made: what is None is left to the model."""

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None
    top_logprobs: int | None = None
    """As in `Sampling`: None tells no log probabilities, 0 those of the chosen tokens."""
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    choices: int = 1

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            InvalidRequestError: A field is out of its range; `param` names it.
        """
        if len(self.stops) > MAX_STOPS:
            raise _invalid("stop", f"{len(self.stops)} stop strings; the most is {MAX_STOPS}.")
        if not all(self.stops):
            raise _invalid("stop", "a stop string is empty.")
        if any(len(stop) > MAX_STOP_CHARACTERS for stop in self.stops):
            raise _invalid("stop", f"a stop string has more than {MAX_STOP_CHARACTERS} characters.")
        if not 1 <= self.choices <= MAX_CHOICES:
            raise _invalid("n", f"{self.choices} should be between 1 and {MAX_CHOICES}.")
        self.sampling(Sampling())

    def sampling(self, advised: Sampling) -> Sampling:
        """Return how to sample: the caller's wishes over what the model's makers advise.

        Raises:
            InvalidRequestError: A field is out of its range; `param` names it.
        """
        told = {
            name: getattr(advised, name) if (wished := getattr(self, name)) is None else wished
            for name in _ADVISED
        }
        return Sampling(
            **told,
            frequency_penalty=self.frequency_penalty or 0.0,
            presence_penalty=self.presence_penalty or 0.0,
            logit_bias=self.logit_bias,
            seed=self.seed,
            top_logprobs=self.top_logprobs,
        )


_ADVISED = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages to answer."""

    messages: Sequence[Mapping[str, Any]]
    """OpenAI's messages, at least one, checked by the door."""
    wishes: Wishes = field(default_factory=Wishes)
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    parallel_tool_calls: bool = True
    constraint: Constraint | None = None
    documents: tuple[Mapping[str, Any], ...] = ()
    """Texts to answer from, for templates that know them."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """The caller's `chat_template_kwargs`, and `reasoning_effort` where it is given."""

    def __post_init__(self) -> None:
        """Check what the parts have to do with each other.

        Raises:
            InvalidRequestError: They do not fit together; `param` names the field.
        """
        if self.wishes.max_tokens == 0:
            raise _invalid("max_tokens", "0 should be at least 1.")
        _check_messages(self.messages)
        _check_tools(self.tools, self.tool_choice)

    def is_longer_than(self, characters: int) -> bool:
        """Tell whether reading it takes a while: every value in it counts as a character more."""
        tools = [tool.definition for tool in self.offered]
        return _are_longer([self.messages, tools, self.documents, self.variables], than=characters)

    @property
    def offered(self) -> tuple[Tool, ...]:
        """The tools that the model is shown."""
        return () if self.tool_choice.mode == "none" else self.tools

    @property
    def callable_tools(self) -> tuple[Tool, ...]:
        """The tools that it may call."""
        names = self.tool_choice.names
        return tuple(tool for tool in self.offered if names is None or tool.name in names)


def _check_messages(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a conversation without messages, and results of calls that nobody made."""
    if not messages:
        raise _invalid("messages", "there should be at least one message.")
    calls = set[str]()
    for index, message in enumerate(messages):
        calls.update(call["id"] for call in message.get("tool_calls") or ())
        answered = message.get("tool_call_id")
        if message["role"] == "tool" and answered not in calls:
            raise _invalid(
                f"messages[{index}].tool_call_id",
                f"no earlier message of the assistant calls a tool with the id {shown(answered)}.",
            )


def _check_tools(tools: Sequence[Tool], choice: ToolChoice) -> None:
    """Refuse tools that cannot be told apart, and a choice of tools that are not there."""
    if len(tools) > MAX_TOOLS:
        raise _invalid("tools", f"{len(tools)} tools; the most is {MAX_TOOLS}.")
    names = set[str]()
    for index, tool in enumerate(tools):
        if not NAME.fullmatch(tool.name):
            raise _invalid(
                f"tools[{index}].name",
                f"{shown(tool.name)}. Expected 1 to 64 letters, digits, underscores and dashes.",
            )
        if tool.name in names:
            raise _invalid(f"tools[{index}].name", f"the name {shown(tool.name)} is taken.")
        names.add(tool.name)
    if choice.mode == "required" and not tools:
        raise _invalid("tool_choice", "it needs 'tools'.")
    for name in choice.names or ():
        if name not in names:
            raise _invalid("tool_choice", f"{shown(name)} is not among the tools.")


def _are_longer(values: Iterable[Any], *, than: int) -> bool:
    """Tell whether values out of JSON have more characters and parts than that."""
    waiting, left = [*values], than
    while waiting and left >= 0:
        left -= 1
        match waiting.pop():
            case str(text):
                left -= len(text)
            case Mapping() as entries:
                waiting += entries
                waiting += entries.values()
            case [*parts]:
                waiting += parts
    return left < 0


def _invalid(param: str, problem: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid value for '{param}': {problem}", param=param, code="invalid_value"
    )


@dataclass(frozen=True, slots=True)
class Continuation:
    """Texts to go on with, without a chat template."""

    prompts: tuple[str | tuple[int, ...], ...]
    """Texts, or token ids; at least one, none empty."""
    wishes: Wishes = field(default_factory=Wishes)
    best_of: int | None = None
    """Answers that are made for each prompt; the `choices` likeliest are returned."""
    constraint: Constraint | None = None
    echo: bool = False
    """Whether answers begin with their prompts."""

    def __post_init__(self) -> None:
        """Check how much is wanted.

        Raises:
            InvalidRequestError: It is too much for one request.
        """
        if self.answers > MAX_ANSWERS:
            raise _invalid(
                "prompt",
                f"{self.answers} answers to {len(self.prompts)} prompts; the most of one request is"
                f" {MAX_ANSWERS}.",
            )

    @property
    def made(self) -> int:
        """Answers that are made for each prompt."""
        return max(self.best_of or 0, self.wishes.choices)

    @property
    def answers(self) -> int:
        """Answers that are made for all prompts together."""
        return len(self.prompts) * self.made

    def is_longer_than(self, characters: int) -> bool:
        """Tell whether reading it takes a while; a token of a prompt counts as a character."""
        return sum(map(len, self.prompts)) > characters
