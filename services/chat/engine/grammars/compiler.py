"""Compiles grammars within limits, keeps the latest, and tells whose fault it is where it fails.

Source: https://github.com/guidance-ai/llguidance, `python/llguidance/_lib.pyi` (LLMatcher,
LLParserLimits)
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable

from llguidance import LLMatcher, LLParserLimits

from services.chat.engine.grammars.matcher import Matcher
from services.chat.engine.grammars.notation import Part, Script
from services.chat.engine.grammars.vocabulary import Vocabulary
from services.chat.engine.request import Grammar
from services.runtime.errors import InvalidRequestError

NewGrammar = Callable[[], Grammar]
"""Makes what restrains one choice."""

MAX_CHARACTERS = 2**18
"""Of one grammar; the largest take some 50 MB when they are compiled."""
MAX_KEPT = 32
MAX_KEPT_CHARACTERS = 2**20
"""Of all grammars that are kept."""

_LIMITS = LLParserLimits(
    max_lexer_states=2**16,  # some 25 MB; all choices by one grammar share them
    max_items_in_row=5000,  # an object with 1,000 properties that may be missing takes 4,000
    verbose_errors=False,
)
_LEAVE_OUT = "leave it out, or leave out 'strict'"
_IN_WORDS = (
    (r"Unimplemented keys: \[(.*)\]", rf"the keyword \1 cannot be enforced; {_LEAVE_OUT}"),
    (r"Unknown format: (.*)", rf"the keyword 'format' cannot be enforced for '\1'; {_LEAVE_OUT}"),
    (r"oneOf constraints are not.*", r"the choices of 'oneOf' overlap; 'anyOf' allows that"),
    (r"Unsatisfiable schema: (.*)", r"no value fulfils it: \1"),
    (r"Expected f64", "Expected a number"),
    (r"NoExtension.*", "no answer of this model fulfils it"),
    (r".*(?i:too (?:many|big|large)|fuel|max is|limit|Unable to determine).*", "it is too complex"),
)
"""What llguidance says, and how callers are told."""
_PLACE = re.compile(r"(?:at )?(\d+)\((\d+)\): ")


class Compiler:
    """Compiles the grammars of one model; may be used from several threads."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Take the model's tokens."""
        self._vocabulary = vocabulary
        self._kept = OrderedDict[str, LLMatcher]()
        self._lock = threading.Lock()

    def compile(self, script: Script, param: str, *, keeps: bool = True) -> NewGrammar:
        """Return what makes a matcher for each choice, in microseconds.

        Args:
            script: The grammar.
            param: The field to name where no single part is to blame.
            keeps: Whether it takes the place of others that were kept.

        Raises:
            InvalidRequestError: The grammar is wrong, nothing fulfils it, or it is too complex.
        """
        source = script.source
        if len(source) > MAX_CHARACTERS:
            raise _invalid(
                param,
                f"it has {len(source)} characters as a grammar; the most is {MAX_CHARACTERS}.",
            )
        beginning = self._find(source)
        if beginning is None:
            beginning = self._build(source, script.parts, param)
            if keeps:
                self._keep(source, beginning)

        def new_matcher() -> Grammar:
            return Matcher(
                beginning.deep_copy(), self._vocabulary.size, lambda: self._forget(source)
            )

        return new_matcher

    def _build(self, source: str, parts: list[Part], param: str) -> LLMatcher:
        beginning = self._matcher(source)
        if beginning.is_error():
            for part in parts:
                if reason := self._matcher(part.source).get_error():
                    raise _invalid(part.param, _in_words(reason, part), part.code)
            raise _invalid(param, _in_words(beginning.get_error()))
        first = beginning.deep_copy()
        first.compute_bitmask()  # also the slowest: what it finds out is shared by all copies
        if first.is_error():
            raise _invalid(param, _in_words(first.get_error()))
        return beginning

    def _matcher(self, source: str) -> LLMatcher:
        return LLMatcher(self._vocabulary.tokens, source, log_level=0, limits=_LIMITS)

    def _find(self, source: str) -> LLMatcher | None:
        with self._lock:
            if source in self._kept:
                self._kept.move_to_end(source)
            return self._kept.get(source)

    def _keep(self, source: str, beginning: LLMatcher) -> None:
        with self._lock:
            self._kept[source] = beginning
            while len(self._kept) > MAX_KEPT or sum(map(len, self._kept)) > MAX_KEPT_CHARACTERS:
                self._kept.popitem(last=False)

    def _forget(self, source: str) -> None:
        """Compile a grammar anew the next time: what its copies share has reached a limit."""
        with self._lock:
            self._kept.pop(source, None)


def _in_words(reason: str, part: Part | None = None) -> str:
    """Return llguidance's reason as one sentence for the caller."""
    lines = reason.removesuffix("\n<non-verbose/>").splitlines()
    place = _PLACE.match(lines[0])
    what = lines[0][place.end() if place else 0 :]
    what = next(
        (line.removeprefix("error: ") for line in lines if line.startswith("error: ")), what
    )
    for pattern, words in _IN_WORDS:
        what = re.sub(pattern, words, what)
    has_lines = place is not None and part is not None and part.has_lines
    where = f"line {place[1]}, column {place[2]}: " if place and has_lines else ""
    return f"{where}{what.replace(chr(34), chr(39))}."


def _invalid(param: str, what: str, code: str = "invalid_value") -> InvalidRequestError:
    return InvalidRequestError(f"Invalid value for '{param}': {what}", param=param, code=code)
