"""What tools there are: realistic ones, and verbs with nouns for thousands of others."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from training.chat.author import Author
from training.chat.dialogues.tools.inventions import measures, pair
from training.chat.dialogues.tools.parameters import Parameter, enums, flags, parameter
from training.chat.lexicon import read, vocabulary, words

_TABLE: dict[str, Any] = read("phrases/tools")
_ARGUMENT = re.compile(r"\[([a-z_\d]+)\]")


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
    wishes: tuple[str, ...] = ()
    """Wishes that are no orders and no questions: statements, and words without a verb."""

    def taken(self) -> tuple[Parameter, ...]:
        """Return what it takes, in the order that `[0]`, `[1]` … in its questions count."""
        return *self.required, *self.optional


@cache
def realistic() -> tuple[Blueprint, ...]:
    """Return the tools that the table tells in full."""
    return tuple(
        Blueprint(
            tuple(told["names"].split()),
            (told["says"],),
            _placed(told, "ask"),
            tuple(map(parameter, told["required"])),
            tuple(map(parameter, told["optional"])),
            told["result"],
            _placed(told, "wish"),
        )
        for told in _TABLE["tools"]
    )


def _placed(told: dict[str, Any], key: str) -> tuple[str, ...]:
    """Return questions with the places of their arguments, `[0]` for `[city]`."""
    kinds = [*told["required"], *told["optional"]]
    return tuple(
        _ARGUMENT.sub(lambda found: f"[{kinds.index(found[1])}]", each)
        for each in told.get(key, ())
    )


_NOUNS: tuple[str, ...] = tuple(_TABLE["things"].split())
_SPOKEN: dict[str, str] = _TABLE["spoken"]
"""Other words for some of the nouns."""
_FREE: tuple[str, ...] = tuple(_TABLE["free"])
"""Kinds of parameters that suit any tool."""


def composed(author: Author, _others: Sequence[Blueprint] = ()) -> Blueprint:
    """Return a tool that nobody has thought of: a verb, a noun, and what it may take."""
    verb = author.one(tuple(_TABLE["verbs"]))
    told = _TABLE["verbs"][verb]
    noun = _noun(author)
    spoken = noun.replace("_", " ")
    asked = _SPOKEN[noun] if noun in _SPOKEN and author.chance(0.5) else spoken
    also = author.one((verb, *told.get("also", verb).split()))
    camel = verb + "".join(part.capitalize() for part in noun.split("_"))
    names = (f"{verb}_{noun}", f"{also}_{noun}", f"{noun}_{verb}", noun, camel)
    determiner = author.one(("the", "a", "my", "the", "(the|my|a)"))
    if determiner == "a" and asked.strip("(")[0] in "aeiou":
        determiner = "an"
    said = f"{determiner} {asked}"
    required, optional = drawn_parameters(author)
    return Blueprint(
        names,
        (told["says"].format(n=f"(a|the) {spoken}"),),
        tuple(ask.format(n=said, N=asked) for ask in told["ask"]),
        required,
        optional,
        told["result"],
        tuple(wish.format(n=said, N=asked) for wish in told.get("wish", ())),
    )


def _noun(author: Author) -> str:
    kind = author.rng.random()
    if kind < 0.6:
        return author.one(_NOUNS)
    noun = author.one(vocabulary())
    return noun if kind < 0.84 else f"{noun}_{author.one(words('objects'))}"


def drawn_parameters(author: Author) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return what a tool needs and what it may take besides; nothing, now and then."""
    if author.chance(0.06):
        return (), ()
    if author.chance(0.4):
        return author.one((pair, measures))(author), ()
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
    {"get_weather", "get_forecast", "air_quality"},
    {"search_train", "bus_times", "get_directions", "book_flight", "call_taxi", "rent_car"},
    {"ship_parcel", "place_order", "get_order_status", "send_message"},
    {"order_food", "get_recipe", "calorie_lookup", "find_restaurant", "place_order"},
    {"log_expense", "set_budget", "split_bill", "transfer_money", "get_balance"},
    {"convert_currency", "split_bill", "log_expense"},
    {"deploy_service", "restart_server", "server_status", "get_logs"},
    {"create_branch", "merge_request", "create_ticket", "deploy_service"},
    {"query_database", "export_data", "web_search"},
    {"control_device", "set_light", "set_thermostat", "open_blinds", "start_vacuum"},
    {"rate_movie", "find_movie", "buy_ticket", "find_event"},
    {"book_lesson", "create_quiz", "web_search", "book_appointment"},
    {"find_doctor", "book_appointment", "take_medicine", "get_side_effects"},
    {"take_medicine", "create_reminder", "log_workout", "create_note", "add_task"},
    {"mute_chat", "set_timer", "set_volume", "set_alarm"},
    {"find_event", "list_events", "get_news", "find_movie"},
    {"get_score", "get_news", "web_search"},
    {"check_in", "book_flight", "get_order_status", "cancel_order"},
    {"report_lost", "create_ticket", "place_order", "order_food", "add_to_cart"},
    {"find_restaurant", "find_doctor", "find_parking", "find_event", "book_hotel"},
    {"get_population", "get_capital", "web_search"},
    {"measure_pulse", "start_recording"},
    {"get_stock_price", "get_balance"},
)
"""Tools that one question may fit: only one of them is offered at a time."""


def clash(one: Blueprint, other: Blueprint) -> bool:
    """Whether a question may be meant for both."""
    first, second = one.names[0], other.names[0]
    return first == second or any(first in group and second in group for group in OVERLAPS)
