"""The sandbox that chat templates run in: jinja2 with what Hugging Face adds to it.

A template comes with the model's folder, so it is trusted no further than a stranger's file: it
reaches no attribute that begins with an underscore, changes nothing that it is given, and includes
no other file. Its text, its ranges (jinja2's `MAX_RANGE`) and its products are bounded. Callers
send data and never templates; so a template may still waste time, as the graph beside it may.

Source: transformers, `utils/chat_template_utils.py` (`_cached_compile_jinja_template`)
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

MAX_CHARACTERS = 2**24
"""The longest text that a template may write: four million tokens and more."""

_MAX_NUMBER_BITS = 1024

Clock = Callable[[], datetime]


def local_time() -> datetime:
    """Return the time where the server stands."""
    return datetime.now().astimezone()


def open_sandbox(clock: Clock) -> jinja2.Environment:
    """Return an environment that compiles and renders chat templates.

    Args:
        clock: What `strftime_now` reads.
    """
    sandbox = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    sandbox.filters["tojson"] = _tojson
    sandbox.globals.update(
        raise_exception=_raise_exception,
        strftime_now=lambda format: clock().strftime(format),  # noqa: A006 - the templates' name
        dict=_Dict(),
        namespace=_Namespace,
    )
    return sandbox


class _Sandbox(ImmutableSandboxedEnvironment):
    """Refuses products that are long before they are made, also while it compiles."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            _check_product(left, right)
            _check_product(right, left)
        elif isinstance(left, int) and isinstance(right, int):
            _check_bits(left.bit_length() * right)
        return super().call_binop(context, operator, left, right)


class _Generation(Extension):
    """`{% generation %} … {% endgeneration %}` marks an answer for training; it writes its body."""

    tags = {"generation"}  # noqa: RUF012 - as jinja2 declares it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("write"), [], [], body).set_lineno(line)

    def write(self, caller: Macro) -> str:
        """Return the body; a call block, because what is set in it is not seen behind it."""
        return str(caller())


class _Dict:
    """`dict`, without the class behind it."""

    def __call__(self, *args: Any, **values: Any) -> dict[Any, Any]:
        return dict(*args, **values)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _Namespace(Namespace):
    """`namespace`, without names that begin with an underscore."""

    def __init__(*args: Any, **values: Any) -> None:  # `namespace(self=…)` is a template's right
        self, *positional = args
        attributes = dict(*positional, **values)
        for name in attributes:
            _check_name(name)
        Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Return JSON in the order of the value, as it is: jinja2's own filter sorts and escapes."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"the namespace attribute {name!r} is private")


def _check_product(value: object, count: object) -> None:
    """Refuse a text or list that would be repeated beyond what a template may write."""
    if not isinstance(count, int):
        return
    if isinstance(value, str | list | tuple) and len(value) * count > MAX_CHARACTERS:
        raise jinja2.exceptions.SecurityError(f"more than {MAX_CHARACTERS} characters or items")
    if isinstance(value, int):
        _check_bits(value.bit_length() + count.bit_length())


def _check_bits(bits: int) -> None:
    """Refuse a number that no prompt needs."""
    if bits > _MAX_NUMBER_BITS:
        raise jinja2.exceptions.SecurityError(f"a number of more than {_MAX_NUMBER_BITS} bits")
