"""What tools there are: realistic ones, and verbs with nouns for thousands of others."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from training.chat.author import Author
from training.chat.dialogues.tools.parameters import Parameter, enums, flags, parameter
from training.chat.lexicon import read, vocabulary, words

_TABLE: dict[str, Any] = read("phrases/tools")


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A tool before its names are chosen."""

    names: tuple[str, ...]
    says: tuple[str, ...]
    """Descriptions."""
    asks: tuple[str, ...]
    """Questions, without their arguments."""
    required: tuple[Parameter, ...]
    optional: tuple[Parameter, ...]
    result: str
    """What comes back: `weather`, `number`, `list`, `done` …"""


@cache
def realistic() -> tuple[Blueprint, ...]:
    """Return the tools that the table tells in full."""
    return tuple(
        Blueprint(
            tuple(told["names"].split()),
            (told["says"],),
            tuple(told["ask"]),
            tuple(map(parameter, told["required"])),
            tuple(map(parameter, told["optional"])),
            told["result"],
        )
        for told in _TABLE["tools"]
    )


_NOUNS: tuple[str, ...] = tuple(_TABLE["things"].split())
_FREE: tuple[str, ...] = tuple(_TABLE["free"])
"""Kinds of parameters that suit any tool."""


def composed(author: Author) -> Blueprint:
    """Return a tool that nobody has thought of: a verb, a noun, and what it may take."""
    verb = author.one(tuple(_TABLE["verbs"]))
    told = _TABLE["verbs"][verb]
    noun = _noun(author)
    spoken = noun.replace("_", " ")
    camel = verb + "".join(part.capitalize() for part in noun.split("_"))
    names = (f"{verb}_{noun}", f"{verb}_{noun}", f"{noun}_{verb}", noun, camel)
    determiner = author.one(("the", "a", "my", "the", "(the|my|a)"))
    if determiner == "a" and spoken[0] in "aeiou":
        determiner = "an"
    required, optional = _taken(author)
    return Blueprint(
        names,
        (told["says"].format(n=f"(a|the) {spoken}"),),
        tuple(ask.format(n=f"{determiner} {spoken}") for ask in told["ask"]),
        required,
        optional,
        told["result"],
    )


def _noun(author: Author) -> str:
    kind = author.rng.random()
    if kind < 0.6:
        return author.one(_NOUNS)
    noun = author.one(vocabulary())
    return noun if kind < 0.84 else f"{noun}_{author.one(words('objects'))}"


def _taken(author: Author) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return what a tool needs and what it may take besides; nothing, now and then."""
    if author.chance(0.06):
        return (), ()
    free = [*map(parameter, _FREE), *enums()]
    kinds = list({each.names[0]: each for each in author.some(free, 1, 4)}.values())
    needed = min(author.number(0, 2), len(kinds))
    return tuple(kinds[:needed]), (*kinds[needed:], *author.some([*enums(), *flags()], 0, 1))


OVERLAPS = (
    {"get_weather", "get_forecast"},
    {"send_email", "send_message", "post_update"},
    {
        "create_event",
        "book_appointment",
        "create_reminder",
        "create_note",
        "add_task",
        "list_events",
        "write_file",
    },
    {"play_music", "play_genre"},
    {"order_food", "place_order", "add_to_cart", "buy_ticket"},
    {"find_restaurant", "reserve_table", "order_food", "get_recipe"},
    {"call_taxi", "rent_car", "get_directions", "get_distance", "book_flight"},
    {"add_contact", "add_user", "get_user"},
    {"create_ticket", "update_status", "get_order_status"},
    {"transfer_money", "convert_currency", "get_balance"},
    {"random_number", "roll_dice", "calculate"},
    {"web_search", "get_news", "define_word", "open_url"},
    {"set_light", "set_thermostat", "set_volume"},
    {"set_timer", "set_alarm", "create_reminder"},
    {"read_file", "transcribe_audio", "open_url"},
    {"get_population", "get_capital"},
    {"start_recording", "generate_image"},
    {"translate_text", "define_word"},
)
"""Tools that one question may fit: only one of them is offered at a time."""


def clash(one: Blueprint, other: Blueprint) -> bool:
    """Whether a question may be meant for both."""
    first, second = one.names[0], other.names[0]
    return first == second or any(first in group and second in group for group in OVERLAPS)
