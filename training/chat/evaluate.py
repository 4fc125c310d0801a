"""Scores a model on the held-out prompts: `python -m training.chat.evaluate [--folder …]`."""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from training.chat.answers import FolderAnswers
from training.chat.heldout import Prompt, control, prompts
from training.chat.rules import keeps

_TABLE = re.compile(r"(?<=<!-- scores -->\n).*?(?=<!-- /scores -->)", re.DOTALL)
"""Where a model card has its scores."""


def main() -> None:
    """Read the command line, print a table, and write it into the card where that is wished."""
    parser = argparse.ArgumentParser(description="Scores a model on the held-out prompts.")
    parser.add_argument(
        "--folder", type=Path, default=Path("models/starter-chat"), help="the model's"
    )
    parser.add_argument(
        "--failures",
        action="store_true",
        help="show what was answered wrongly, of the control never",
    )
    parser.add_argument("--card", action="store_true", help="write the scores into README.md")
    parser.add_argument("--threads", type=int, default=0, help="to compute with; 0: all cores")
    told = parser.parse_args()
    answers = FolderAnswers(told.folder, told.threads)
    written, kept = _judged(answers, prompts())
    if told.failures:
        sys.stdout.writelines(_failures(prompts(), written, kept))
    _, kept_control = _judged(answers, control())
    scores = table(shares(prompts(), kept), shares(control(), kept_control))
    sys.stdout.write(scores)
    sys.stdout.write(f"{answers.speed(prompts()[0].dialogue)}\n")
    if told.card:
        card = told.folder / "README.md"
        card.write_text(_TABLE.sub(scores, card.read_text("utf-8")), "utf-8")


Shares = dict[str, tuple[int, float]]
"""By skill, and of all: how many prompts there are, and the share that was answered rightly."""


def shares(asked: Sequence[Prompt], kept: Sequence[bool]) -> Shares:
    """Return the scores by skill."""
    by_skill: dict[str, list[bool]] = defaultdict(list)
    for prompt, is_kept in zip(asked, kept, strict=True):
        by_skill[prompt.skill].append(is_kept)
    rows = [*by_skill.items(), ("all", list(kept))]
    return {name: (len(each), sum(each) / len(each)) for name, each in rows}


def table(read: Shares, unread: Shares) -> str:
    """Return scores as Markdown: of the prompts, and of the control beside them."""
    lines = [
        f"| {name} | {count} | {share:.0%} | {unread[name][0]} | {unread[name][1]:.0%} |"
        for name, (count, share) in read.items()
    ]
    heads = ["| skill | prompts | right | control | right |", "|---|---:|---:|---:|---:|"]
    return "\n".join([*heads, *lines]) + "\n"


def _judged(answers: FolderAnswers, asked: Sequence[Prompt]) -> tuple[list[str], list[bool]]:
    """Return the answers, and whether they keep the rules."""
    written = answers.answer([prompt.dialogue for prompt in asked])
    kept = [keeps(answer, prompt.rules) for prompt, answer in zip(asked, written, strict=True)]
    return written, kept


def _failures(asked: Sequence[Prompt], written: Sequence[str], kept: Sequence[bool]) -> list[str]:
    return [
        f"{prompt.skill}: {prompt.dialogue.messages[-1].content!r} -> {answer!r}\n"
        for prompt, answer, is_kept in zip(asked, written, kept, strict=True)
        if not is_kept
    ]


if __name__ == "__main__":
    main()
