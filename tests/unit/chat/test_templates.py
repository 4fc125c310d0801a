"""Messages to prompts, with small templates that each have one wish."""

from typing import Any

import pytest

from services.chat.engine.templates import sandbox
from services.runtime.artifacts import ArtifactError
from services.runtime.errors import InvalidRequestError
from tests.unit.chat.conversations import ASKED, CALLED, SAID, SYSTEM, TOOLS, prompts_of

CHATML = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
PARTS = (
    "{% for m in messages %}<{{ m.role }}>"
    "{% for part in m.content %}{% if part.type == 'text' %}[{{ part.text }}]{% endif %}"
    "{% endfor %}{% endfor %}"
)
EITHER = (
    "{% for m in messages %}<{{ m.role }}>{% if m.content is string %}{{ m.content }}"
    "{% else %}{% for part in m.content %}[{{ part.text }}]{% endfor %}{% endif %}{% endfor %}"
)
CALLS = (
    "{% for m in messages %}{% for c in m.tool_calls %}{{ c.function.name }}"
    "{{ ARGUMENTS }}{% endfor %}{% endfor %}"
)


def write(template: str, *messages: dict[str, Any], **options: Any) -> str:
    return prompts_of(template).write(messages or (ASKED,), **options)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def text_parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


def test_a_prompt_ends_where_the_assistant_is_to_speak() -> None:
    assert write(CHATML, user("a")) == "<user>a<assistant>"
    assert write(CHATML, user("a"), add_generation_prompt=False) == "<user>a"


def test_blocks_leave_no_lines_behind() -> None:
    assert write("a\n  {% if true %}\nb\n  {% endif %}\nc\n") == "a\nb\nc"


def test_a_template_knows_special_tokens_and_what_the_caller_adds() -> None:
    template = "{{ bos_token }}{{ mood }}{{ sep_token }}{{ eos_token }}"

    assert write(template, variables={"mood": "glad"}) == "<s>glad</s>"
    assert write(template, variables={"bos_token": "!"}) == "!</s>"


@pytest.mark.parametrize("name", ["messages", "tools", "documents", "add_generation_prompt"])
def test_a_caller_cannot_replace_what_the_request_says(name: str) -> None:
    with pytest.raises(InvalidRequestError, match=name) as caught:
        write(CHATML, variables={name: []})

    assert caught.value.param == "chat_template_kwargs"


def test_json_keeps_its_order_and_its_letters() -> None:
    value = {"z": "é<&>'", "a": [1, None]}

    assert write("{{ v | tojson }}", variables={"v": value}) == ('{"z": "é<&>\'", "a": [1, null]}')
    assert write("{{ v | tojson(indent=1) }}", variables={"v": [1]}) == "[\n 1\n]"
    assert write("{{ v | tojson(ensure_ascii=True) }}", variables={"v": "é"}) == '"\\u00e9"'
    assert write("{{ v | tojson(separators=(',', ':')) }}", variables={"v": {"a": 1}}) == '{"a":1}'
    assert write("{{ v | tojson(sort_keys=true) }}", variables={"v": {"b": 1, "a": 2}}) == (
        '{"a": 2, "b": 1}'
    )


def test_the_date_comes_from_the_clock() -> None:
    assert write("{{ strftime_now('%d %b %Y') }}") == "02 Jan 2026"


def test_loops_can_be_left_and_marks_for_training_write_their_body() -> None:
    template = (
        "{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}"
        "{% generation %}{% set y = 5 %}{{ y }}{% endgeneration %}{{ y }}"
    )

    assert write(template) == "135"


def test_no_tools_and_an_empty_list_of_tools_are_the_same() -> None:
    template = "{{ tools is none }}{{ documents is none }}"

    assert write(template) == write(template, tools=[], documents=[]) == "TrueTrue"
    assert write("{{ tools[0].function.name }}", tools=TOOLS) == "get_weather"


def test_what_a_template_raises_is_told_in_its_own_words() -> None:
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('No system!') }}{% endif %}"

    with pytest.raises(InvalidRequestError) as caught:
        write(template, SYSTEM)

    assert str(caught.value) == "The model's chat template refuses these messages: No system!"
    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content + 1 }}",
        "{{ messages[7].content.upper() }}",
        "{{ missing.attribute }}",
        "{{ 1 / 0 }}",
        "{% include 'other.jinja' %}",
        "{{ messages | map('tojson') | tojson }}",
    ],
)
def test_a_template_that_fails_on_messages_says_what_failed(template: str) -> None:
    with pytest.raises(InvalidRequestError, match="cannot render these messages") as caught:
        write(template)

    assert caught.value.param == "messages"


@pytest.mark.parametrize("template", ["{% if %}", "{{ 'x' * 10 ** 10 }}{% endfor %}", "{% x %}"])
def test_what_is_no_template_is_refused_when_the_model_is_loaded(template: str) -> None:
    with pytest.raises(ArtifactError, match="folder, chat template 'default'"):
        prompts_of(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__class__ }}",
        "{{ messages | attr('__class__') }}",
        "{{ raise_exception.__globals__ }}",
        "{{ strftime_now.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ '{0.__class__}'.format(messages) }}",
        "{{ ('{0.__class__}' | format)(messages) }}",
        "{{ dict.fromkeys.__func__ }}",
        "{{ dict.__class__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ namespace(__class__=1) }}",
        "{% set n = namespace() %}{% set n._x = 1 %}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update(role='x') }}",
        "{{ messages[0].clear() }}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ 10 ** 9 * ['x'] }}",
        "{{ 9 ** (9 ** 9) }}",
        "{% set n = namespace(x=9) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
        "{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
    ],
)
def test_a_template_reaches_and_changes_nothing_and_writes_no_more_than_it_may(
    template: str,
) -> None:
    """Attributes that are private are undefined, which is nothing; all else is refused."""
    messages = [dict(ASKED)]
    try:
        prompt = prompts_of(template).write(messages)
    except InvalidRequestError:
        prompt = ""

    assert prompt == ""
    assert messages == [ASKED]


def test_a_prompt_has_a_longest_length() -> None:
    content = "x" * (sandbox.MAX_CHARACTERS // 2)

    assert len(write(CHATML, user(content))) > len(content)
    with pytest.raises(InvalidRequestError, match="characters"):
        write(CHATML, user(content), user(content))


def test_namespaces_and_dicts_work_as_templates_use_them() -> None:
    template = (
        "{% set n = namespace(a=1, self=2) %}{% set n.a = 5 %}{{ n.a }}{{ n.self }}"
        "{{ dict(x=3).x }}{{ dict.fromkeys(['y'], 4).y }}"
    )

    assert write(template) == "5234"


def test_a_developer_is_the_system_where_the_template_knows_no_developer() -> None:
    developer = {**SYSTEM, "content": "d", "role": "developer"}

    assert write(CHATML, developer) == "<system>d<assistant>"
    assert write(CHATML + "{% if 'developer' == x %}{% endif %}", developer).startswith("<devel")
    assert write(CHATML + "{# developer #}developer", developer).startswith("<system>")


def test_a_content_comes_in_the_form_that_reaches_the_prompt() -> None:
    parts = user(text_parts("a", "b"))

    assert write(CHATML, parts, add_generation_prompt=False) == "<user>a\nb"
    assert write(PARTS, parts) == "<user>[a][b]"
    assert write(PARTS, user("a")) == "<user>[a]"
    assert write(EITHER, parts) == "<user>[a][b]"
    assert write(EITHER, user("a")) == "<user>a"


def test_each_role_has_its_own_form() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}{% for p in m.content %}[{{ p.text }}]"
        "{% endfor %}{% else %}{{ m.content + '' }}{% endif %}{% endfor %}"
    )

    assert write(template, user("a"), {**SAID, "content": text_parts("b", "c")}) == "[a]b\nc"


def test_parts_carry_nothing_but_their_text() -> None:
    cached = {"type": "text", "text": "a", "prompt_cache_breakpoint": True}
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"

    assert write(EITHER, user([cached])) == "<user>[a]"
    assert write(template, user([cached]), refused) == "aNo."


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "image_url", "image_url": {"url": "x"}}, "image_url"),
        ({"type": "text"}, "text"),
        ("bare", "bare"),
    ],
)
def test_a_part_that_is_no_text_is_refused_by_its_place(part: object, kind: str) -> None:
    with pytest.raises(InvalidRequestError, match=kind) as caught:
        write(EITHER, SYSTEM, user([*text_parts("a"), part]))

    assert caught.value.param == "messages[1].content[1]"


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (" c.function.arguments | tojson ", '{"units": "c", "city": "Zürich <1>"}'),
        ("'' + c.function.arguments", '{"units": "c", "city": "Zürich <1>"}'),
        (" c.function.arguments ", '{"units": "c", "city": "Zürich <1>"}'),
        (" c.function.arguments | items | list ", "[('units', 'c'), ('city', 'Zürich <1>')]"),
        (
            (
                " c.function.arguments if c.function.arguments is string else"
                " c.function.arguments | tojson"
            ),
            '{"units": "c", "city": "Zürich <1>"}',
        ),
    ],
)
def test_arguments_are_written_as_json_whatever_form_the_template_wants(
    form: str, written: str
) -> None:
    template = CALLS.replace(" ARGUMENTS ", form)

    assert write(template, ASKED, CALLED, tools=TOOLS) == "get_weather" + written


@pytest.mark.parametrize(
    ("arguments", "written"),
    [("", "{}"), ("not json", '"not json"'), ("[1]", '"[1]"'), ({"a": 1}, '{"a": 1}')],
)
def test_arguments_that_are_no_object_stay_as_the_model_wrote_them(
    arguments: Any, written: str
) -> None:
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": arguments}}
    said = {"role": "assistant", "tool_calls": [call]}
    template = CALLS.replace(" ARGUMENTS ", " c.function.arguments | tojson ")

    assert write(template, ASKED, said) == "f" + written


def test_null_is_left_out_and_a_content_that_is_missed_is_empty() -> None:
    silent = {**CALLED, "content": None, "name": None}
    loose = "{% for m in messages %}{{ m.keys() | list }}{% endfor %}"
    strict = "{% for m in messages %}{{ m.content + '|' }}{% endfor %}"

    assert write(loose, silent) == "['role', 'tool_calls']"
    assert write(strict, ASKED, silent) == ASKED["content"] + "||"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_thoughts_reach_the_template_under_every_name(name: str) -> None:
    template = "{% for m in messages %}{{ m.reasoning_content }}{{ m.thinking }}{% endfor %}"

    assert write(template, {**SAID, name: "Hm"}) == "HmHm"


def test_messages_of_the_caller_stay_as_they_are() -> None:
    before = repr(CALLED)

    write(CHATML, {**SYSTEM, "role": "developer"}, CALLED)

    assert repr(CALLED) == before
