"""What callers want of an answer's content, as a grammar."""

from typing import Any

from llguidance import regex_to_lark

from services.chat.engine.conversation import Constraint
from services.chat.engine.grammars.lark import check_lark
from services.chat.engine.grammars.notation import Notation, Part, Script
from services.chat.engine.grammars.schemas import fit_schema
from services.chat.engine.grammars.unfit import UnfitError
from services.runtime.errors import InvalidRequestError

MAX_TEXTS = 2000
"""Texts to choose from; llguidance follows each of them, up to a limit of its own."""

_OBJECT = {"type": "object"}


def write_constraint(script: Script, notation: Notation, constraint: Constraint) -> str:
    """Return what refers to content as a caller wants it.

    Raises:
        InvalidRequestError: What the caller wants cannot be enforced.
    """
    if constraint.kind == "choice":
        _check_texts(constraint)
        literals = (notation.literal(choice) or '""' for choice in constraint.value)
        return script.define("choice", " | ".join(literals))
    try:
        grammar = _grammar(constraint)
    except UnfitError as error:
        raise InvalidRequestError(
            f"Invalid value for '{constraint.param}': {error}",
            param=constraint.param,
            code="invalid_value",
        ) from None
    has_lines = constraint.kind == "lark"
    return script.embed(Part(grammar, constraint.param, has_lines=has_lines))


def _check_texts(constraint: Constraint) -> None:
    if len(constraint.value) > MAX_TEXTS:
        raise InvalidRequestError(
            f"Invalid value for '{constraint.param}': {len(constraint.value)} texts; the most is"
            f" {MAX_TEXTS}.",
            param=constraint.param,
            code="invalid_value",
        )


def _grammar(constraint: Constraint) -> dict[str, Any]:
    match constraint.kind:
        case "json_object":
            return {"json_schema": fit_schema(_OBJECT, is_strict=True)}
        case "json_schema":
            return {"json_schema": fit_schema(constraint.value, is_strict=constraint.strict)}
        case "regex":
            # Digits are those of ASCII; an empty pattern would be the beginning of a comment.
            pattern = regex_to_lark(constraint.value, "d") or "(?:)"
            return {"lark_grammar": f"start: /{pattern}/"}
        case _:
            check_lark(constraint.value)
            return {"lark_grammar": constraint.value}
