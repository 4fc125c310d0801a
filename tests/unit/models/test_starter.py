"""The folder of the chat model that ships: small, whole, and with a card that tells its scores."""

from collections import Counter
from pathlib import Path

from services.chat.engine.folder import read_spec
from training.chat.heldout import prompts

FOLDER = Path(__file__).parents[3] / "models" / "starter-chat"
_MOST_BYTES = 20_000_000


def test_the_folder_is_small() -> None:
    assert sum(each.stat().st_size for each in FOLDER.iterdir()) < _MOST_BYTES


def test_what_callers_leave_open_is_not_left_to_chance() -> None:
    assert read_spec(FOLDER).sampling.temperature == 0


def test_the_card_scores_every_held_out_prompt() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (FOLDER / "README.md").read_text().splitlines()
        if line.endswith("% |")
    ]
    asked = Counter(prompt.skill for prompt in prompts())

    assert {name: int(number) for name, number, _ in rows} == {**asked, "all": asked.total()}
    assert all(0 <= int(share.removesuffix("%")) <= 100 for _, _, share in rows)
