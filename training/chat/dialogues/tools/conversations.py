"""Conversations with tools: calls, results, questions back, and answers where no tool fits."""

from collections.abc import Sequence
from typing import Any

from training.chat.author import Author, listed
from training.chat.dialogue import Call, Dialogue, Message, Sketch, exchange
from training.chat.dialogues.tools.apps import App, AppTool, apps, offer, question
from training.chat.dialogues.tools.catalogue import clash, composed, realistic
from training.chat.dialogues.tools.parameters import Parameter
from training.chat.dialogues.tools.questions import assembled, wished
from training.chat.dialogues.tools.results import draw_result
from training.chat.dialogues.tools.schemas import (
    Argument,
    Filled,
    Tool,
    draw_tool,
    draw_tools,
    fill,
    values,
)
from training.chat.lexicon import phrases

_PHRASES = phrases("conversations")


def called(author: Author, between: Sequence[Sketch]) -> Dialogue:
    """A question, the call, what came back, the reply; sometimes more of it."""
    tools = draw_tools(author)
    turns = _opening(author, between)
    for _ in range(author.number(1, 5)):
        tool = author.one(tools)
        filled = _arguments(author, tool)
        turns += _call(author, tool, filled, assembled(author, tool, filled))
        if author.chance(0.2) and any(not _is_flag(each) for each in filled):
            turns += _again(author, tool, filled)
        if author.chance(0.1):
            turns += author.one(between)(author)
    return _dialogue(author, turns, tools)


def called_in_app(author: Author, between: Sequence[Sketch]) -> Dialogue:
    """Questions to the tools of one app; now and then for one of its tools that is not offered."""
    app = author.one(apps())
    places = author.some(range(len(app)), 1, 4)
    tools = {place: offer(author, app[place]) for place in places}
    names = {tool.name for tool in tools.values()}
    turns = _opening(author, between)
    for _ in range(author.number(1, 5)):
        if author.chance(0.1):
            turns += _of_another_app(author, app, names)
            continue
        place = author.one(range(len(app)) if author.chance(0.15) else places)
        if place not in tools and set(app[place].blueprint.names) & names:
            continue
        tool = tools.get(place) or offer(author, app[place])
        asked, filled = question(author, app[place], tool)
        if place in tools:
            turns += _call(author, tool, filled, asked)
        else:
            turns += exchange(asked, author.one(_PHRASES["none"]))
        if author.chance(0.08):
            turns += author.one(between)(author)
    if not turns:
        return called_in_app(author, between)
    strange = [draw_tool(author, composed(author))] if author.chance(0.2) else []
    others = [tool for tool in strange if tool.name not in names]
    return _dialogue(author, turns, [*tools.values(), *others])


def _of_another_app(author: Author, app: App, names: set[str]) -> tuple[Message, ...]:
    """A wish for a tool of another app: none of the tools with these names does it."""
    others = [each for each in apps() if each is not app]
    wanted = author.one(author.one(others))
    if names & set(wanted.blueprint.names):
        return ()
    asked, _ = question(author, wanted, offer(author, wanted))
    return exchange(asked, author.one(_PHRASES["none"]))


def _alone(filled: Filled) -> str:
    """Return what a question says of an argument where nothing stands before it."""
    return filled.said.lstrip(",:- ")


def _is_flag(filled: Filled) -> bool:
    return filled.argument.parameter.type == "boolean"


def called_twice(author: Author, between: Sequence[Sketch]) -> Dialogue:
    """One question for two values of an argument: two calls at once."""
    tools = draw_tools(author)
    able = [tool for tool in tools if _main(tool) is not None]
    if not able:
        return called(author, between)
    tool = author.one(able)
    main = _main(tool)
    assert main is not None, tool.name
    first, second = fill(author, main), fill(author, main)
    if first.value == second.value:
        return called(author, between)
    rest = [fill(author, each) for each in tool.arguments if each is not main and each.is_required]
    both = f"{first.value} {author.one(('and', 'and', 'and also'))} {second.value}"
    said = author.say(main.parameter.phrases[0], v=both)
    question = assembled(author, tool, [*rest, Filled(main, None, said, both)])
    calls = tuple(Call(tool.name, values([*rest, each], tool)) for each in (first, second))
    turns = [*_opening(author, between), Message("user", question), Message("assistant", "", calls)]
    if author.chance(0.6):
        results = [
            draw_result(author, tool.blueprint.result, [*rest, each]) for each in (first, second)
        ]
        turns += [Message("tool", content) for content, _ in results]
        turns.append(Message("assistant", " ".join(said for _, said in results)))
    return _dialogue(author, turns, tools)


def asked_back(author: Author, between: Sequence[Sketch]) -> Dialogue:
    """A needed argument is missing: the assistant asks, and calls when it is told."""
    tools = draw_tools(author)
    missing = [
        (tool, each)
        for tool in tools
        for each in tool.arguments
        if each.is_required and each.parameter.ask and each.parameter.type != "boolean"
    ]
    if not missing:
        return called(author, between)
    tool, argument = author.one(missing)
    given = [
        fill(author, each) for each in tool.arguments if each.is_required and each is not argument
    ]
    filled = fill(author, argument)
    question = assembled(author, tool, given)
    choices = listed(list(argument.parameter.choices), "or") if argument.parameter.choices else ""
    back = author.say(author.one(argument.parameter.ask), options=choices)
    shown = str(filled.value)
    told = author.ask(
        *_PHRASES["told"],
        v=shown,
        f=_alone(filled),
    )
    turns = [*_opening(author, between), *exchange(question, back)]
    turns += _call(author, tool, [*given, filled], told)
    return _dialogue(author, turns, tools)


def asked_back_in_app(author: Author, between: Sequence[Sketch]) -> Dialogue:
    """What one tool of an app does is wished without what it needs: the assistant asks for that."""
    app = author.one(apps())
    able = [place for place, each in enumerate(app) if len(_needed(each)) == 1]
    if not able:
        return asked_back(author, between)
    asked = author.one(able)
    places = {asked, *author.some(range(len(app)), 0, 3)}
    tools = {place: offer(author, app[place]) for place in sorted(places)}
    tool = tools[asked]
    missing = next(each for each in tool.arguments if each.is_required)
    wish = wished(author, author.say(*tool.blueprint.says))
    value = missing.parameter.draw(author)
    turns = [*_opening(author, between), *exchange(wish, _question_for(author, missing))]
    told = author.ask(*_PHRASES["told"], v=str(value), f=str(value))
    turns += _call(author, tool, [Filled(missing, value, "")], told)
    return _dialogue(author, turns, list(tools.values()))


def _needed(tool: AppTool) -> list[Parameter]:
    """Return what it needs if that can be asked for: no flags."""
    needed = [tool.parameters[name] for name in tool.required]
    is_told = tool.blueprint.says[0].split()[0].isalpha()
    return needed if is_told and all(each.type != "boolean" for each in needed) else []


def _question_for(author: Author, argument: Argument) -> str:
    """Return a question for an argument by the words of its name."""
    told = author.say(*_PHRASES["which"], n=argument.name.replace("_", " "))
    choices = argument.parameter.choices
    return f"{told.rstrip('?')}: {listed(list(choices), 'or')}?" if choices else told


def refused(author: Author, between: Sequence[Sketch]) -> Dialogue:
    """A wish that no offered tool fulfils."""
    tools = draw_tools(author, 3)
    wanted = author.one(realistic())
    if any(
        clash(wanted, tool.blueprint) or set(wanted.names) & set(tool.blueprint.names)
        for tool in tools
    ):
        return called(author, between)
    missing = draw_tool(author, wanted)
    question = assembled(author, missing, _arguments(author, missing))
    turns = [*_opening(author, between), *exchange(question, author.one(_PHRASES["none"]))]
    if author.chance(0.3):
        tool = author.one(tools)
        filled = _arguments(author, tool)
        turns += _call(author, tool, filled, assembled(author, tool, filled))
    return _dialogue(author, turns, tools)


_KNOWING = {
    "translate_text",
    "calculate",
    "define_word",
    "get_capital",
    "web_search",
    "get_time",
    "list_events",
    "random_number",
    "get_news",
    "create_note",
}


def unneeded(author: Author, between: Sequence[Sketch]) -> Dialogue:
    """Talk that needs no tool although there are some."""
    tools = [tool for tool in draw_tools(author, 3) if tool.blueprint.names[0] not in _KNOWING]
    turns: list[Message] = []
    for _ in range(author.number(1, 2)):
        turns += author.one(between)(author)
    return _dialogue(author, turns, tools)


def _dialogue(author: Author, turns: Sequence[Message], tools: Sequence[Tool]) -> Dialogue:
    system = author.say(
        *_PHRASES["system"],
        n=author.of_table("personas"),
    )
    messages = (Message("system", system), *turns) if author.chance(0.35) else tuple(turns)
    shuffled = list(tools)
    author.rng.shuffle(shuffled)
    return Dialogue(messages, tuple(tool.schema for tool in shuffled))


def _opening(author: Author, between: Sequence[Sketch]) -> list[Message]:
    return list(author.one(between)(author)) if author.chance(0.1) else []


def _main(tool: Tool) -> Any:
    """Return the argument that a question may name two values of."""
    names = {"city", "destination", "person", "name", "whom", "item", "symbol", "word", "id"}
    names |= {"file", "room", "country", "dish", "plant", "medicine", "team", "subject"}
    return next(
        (
            each
            for each in tool.arguments
            if each.is_required and each.parameter.names[0] in names and not each.parameter.choices
        ),
        None,
    )


def _arguments(author: Author, tool: Tool) -> list[Filled]:
    """Return values for what is needed and for some of the rest, often for none of it."""
    share = author.one((0.0, 0.0, 0.25, 0.5, 0.75))
    return [
        fill(author, each) for each in tool.arguments if each.is_required or author.chance(share)
    ]


def _call(author: Author, tool: Tool, filled: list[Filled], question: str) -> list[Message]:
    turns = [
        Message("user", question),
        Message("assistant", "", (Call(tool.name, values(filled, tool)),)),
    ]
    if author.chance(0.7):
        content, said = draw_result(author, tool.blueprint.result, filled)
        turns += [Message("tool", content), Message("assistant", said)]
    return turns


def _again(author: Author, tool: Tool, filled: list[Filled]) -> list[Message]:
    """The same once more with another value of one argument."""
    changed = author.one([each for each in filled if not _is_flag(each)])
    new = fill(author, changed.argument)
    question = author.ask(
        *_PHRASES["again"],
        s=_alone(new),
        v=new.value,
    )
    return _call(author, tool, [new if each is changed else each for each in filled], question)
