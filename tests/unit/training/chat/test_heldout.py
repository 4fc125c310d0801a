from collections import Counter
from random import Random

import pytest

from training.chat.author import Author
from training.chat.corpus import Corpus
from training.chat.dialogue import Dialogue, Message, exchange
from training.chat.dialogues import draw_dialogue
from training.chat.evaluate import shares, table
from training.chat.heldout import Prompt, control, is_held_out, prompts
from training.chat.rules import keeps
from training.chat.tokenizer import train_tokenizer


def test_there_are_three_hundred_prompts_and_more_and_enough_of_every_skill() -> None:
    skills = Counter(prompt.skill for prompt in prompts())
    assert sum(skills.values()) >= 300
    assert min(skills.values()) >= 14


def test_the_control_has_every_skill_and_other_tools() -> None:
    skills = Counter(prompt.skill for prompt in control())
    assert skills.keys() == {prompt.skill for prompt in prompts()}
    assert sum(skills.values()) >= 150
    assert not tools_of(prompts()) & tools_of(control())


def tools_of(asked: tuple[Prompt, ...]) -> set[str]:
    return {tool["function"]["name"] for prompt in asked for tool in prompt.dialogue.tools}


def test_no_prompt_is_asked_twice() -> None:
    dialogues = Counter(repr(prompt.dialogue) for prompt in prompts() + control())
    assert dialogues.most_common(1)[0][1] == 1


def test_the_wordings_of_the_generator_are_not_those_of_the_prompts() -> None:
    author = Author(Random("heldout"))
    drawn = [draw_dialogue(author) for _ in range(10_000)]
    assert sum(map(is_held_out, drawn)) < 20


def test_what_is_held_out_is_known_by_its_letters() -> None:
    asked = next(each for each in prompts() if each.skill == "facts").dialogue.messages[-1].content
    assert is_held_out(Dialogue((Message("user", asked.upper() + "!!"), Message("assistant", "?"))))
    assert not is_held_out(Dialogue((Message("user", f"Well, {asked}"),)))


def test_the_corpus_never_asks_what_is_held_out() -> None:
    prompt = next(each for each in prompts() if each.skill == "facts")
    tokenizer = train_tokenizer(400, seed=1, dialogues=10)
    drawn = iter([prompt.dialogue, Dialogue(exchange("Something else?", "Yes."))])
    ids, _ = Corpus(tokenizer, "1", lambda _author: next(drawn)).row()
    assert "Something else?" in tokenizer.decode(ids)


@pytest.mark.parametrize(
    ("answer", "rules", "is_kept"),
    [
        ("The capital is Paris.", {"has": ["paris"]}, True),
        ("The answer is 730.", {"has": ["73"]}, False),
        ("The answer is 73.", {"has": ["73"]}, True),
        ("The answer is 73.5.", {"has": ["73"]}, False),
        ("The answer is -73.", {"has": ["73"]}, False),
        ("1,073", {"has": ["073"]}, False),
        ("1, 73", {"has": ["73"]}, True),
        ("100-27 = 73", {"has": ["27"]}, True),
        ("Many thanks!", {"any": ["thank", "hi"]}, True),
        ("I think of this.", {"any": ["thank", "hi"]}, False),
        ("See total_tokens.", {"any": ["token"]}, True),
        ("It is 64.", {"any": ["6", "six"]}, False),
        ("Bananas.", {"not": ["apple"]}, True),
        ("An apple.", {"not": ["apple"]}, False),
        ("No, it is not.", {"starts": "no"}, True),
        ("Nothing.", {"starts": "no"}, False),
        ("I do not know that.", {"unknown": True}, True),
        ("It is Berlin.", {"unknown": True}, False),
        ("Yes", {"whole": ["flute"]}, True),
        ("Yes, she plays the drum.", {"whole": ["flute"]}, False),
        ("7 + 3 = 10.", {"has": ["10"]}, True),
        ("Apple, pear and plum.", {"list": {"kind": "fruits", "count": 3}}, True),
        ("Apple and pear.", {"list": {"kind": "fruits", "count": 3}}, False),
        ("3, 5, 8", {"ordered": ["3", "5", "8"]}, True),
        ("5, 3, 8", {"ordered": ["3", "5", "8"]}, False),
        ("3, 5, 8, 9", {"ordered": ["3", "5", "8"]}, False),
        ("ash, elm and ash", {"ordered": ["ash", "elm"]}, False),
        ("c-a-t", {"spelled": "cat"}, True),
        ("C, A, T", {"spelled": "cat"}, True),
        ("cat", {"spelled": "cat"}, False),
        ("cat: c-a-t. Cats do", {"spelled": "cat"}, True),
        ("c-a-t-s", {"spelled": "cat"}, False),
        ("s, c, a, t", {"spelled": "cat"}, False),
        ('{"a": 1}', {"json": {"a": 1}}, True),
        ('{"a": "1"}', {"json": {"a": 1}}, False),
        ('{"a": true}', {"json": {"a": 1}}, False),
        ('{"a": 1, "b": 2}', {"json": {"a": 1}}, False),
        ('["x", 1]', {"json": ["x", 1]}, True),
        ("HELLO", {"upper": True}, True),
        ("One. Two.", {"sentences": 1}, False),
        (
            '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>',
            {"call": {"name": "f", "arguments": {"x": 1}}},
            True,
        ),
        (
            '<tool_call>\n{"name": "f", "arguments": {"x": 2}}\n</tool_call>',
            {"call": {"name": "f", "arguments": {"x": 1}}},
            False,
        ),
        ("I cannot call that.", {"no_call": True}, True),
    ],
)
def test_rules_judge_answers(answer: str, rules: dict[str, object], is_kept: bool) -> None:
    assert keeps(answer, rules) is is_kept


def test_scores_are_told_by_skill_and_in_all() -> None:
    def scores(asked: tuple[Prompt, ...], right: str) -> dict[str, tuple[int, float]]:
        asked = tuple(each for each in asked if each.skill in {"facts", "json"})
        return shares(asked, [each.skill == right for each in asked])

    told = table(scores(prompts(), "json"), scores(control(), "facts"))

    rows = ["| facts | 30 | 0% | 11 | 100% |", "| json | 20 | 100% | 8 | 0% |"]
    assert "\n".join([*rows, "| all | 50 | 40% | 19 | 58% |\n"]) in told
