"""Scores a model on the held-out prompts: `python -m training.chat.evaluate [--folder …]`."""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from training.chat.answers import FolderAnswers
from training.chat.heldout import Prompt, prompts
from training.chat.rules import keeps

_TABLE = re.compile(r"(?<=<!-- scores -->\n).*?(?=<!-- /scores -->)", re.DOTALL)
"""Where a model card has its scores."""


def main() -> None:
    """Read the command line, print a table, and write it into the card where that is wished."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("models/starter-chat"))
    parser.add_argument("--failures", action="store_true", help="show what was answered wrongly")
    parser.add_argument("--card", action="store_true", help="write the scores into README.md")
    parser.add_argument("--threads", type=int, default=0)
    told = parser.parse_args()
    answers = FolderAnswers(told.folder, told.threads)
    asked = prompts()
    written = answers.answer([prompt.dialogue for prompt in asked])
    kept = [keeps(answer, prompt.rules) for prompt, answer in zip(asked, written, strict=True)]
    if told.failures:
        sys.stdout.writelines(_failures(asked, written, kept))
    scores = table(asked, kept)
    sys.stdout.write(scores)
    sys.stdout.write(f"{answers.speed(asked[0].dialogue)}\n")
    if told.card:
        card = told.folder / "README.md"
        card.write_text(_TABLE.sub(scores, card.read_text("utf-8")), "utf-8")


def table(asked: Sequence[Prompt], kept: Sequence[bool]) -> str:
    """Return the scores by skill as Markdown."""
    by_skill: dict[str, list[bool]] = defaultdict(list)
    for prompt, is_kept in zip(asked, kept, strict=True):
        by_skill[prompt.skill].append(is_kept)
    rows = [*by_skill.items(), ("all", list(kept))]
    lines = [f"| {name} | {len(each)} | {sum(each) / len(each):.0%} |" for name, each in rows]
    return "\n".join(["| skill | prompts | right |", "|---|---:|---:|", *lines]) + "\n"


def _failures(asked: Sequence[Prompt], written: Sequence[str], kept: Sequence[bool]) -> list[str]:
    return [
        f"{prompt.skill}: {prompt.dialogue.messages[-1].content!r} -> {answer!r}\n"
        for prompt, answer, is_kept in zip(asked, written, kept, strict=True)
        if not is_kept
    ]


if __name__ == "__main__":
    main()
