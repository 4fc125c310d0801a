"""The folder of the chat model that ships: small, whole, and with a card that tells its scores."""

from collections import Counter
from pathlib import Path

from services.chat.engine.folder import read_spec
from training.chat.heldout import control, prompts

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
    asked, unread = (Counter(prompt.skill for prompt in each) for each in (prompts(), control()))

    counts = {name: (int(number), int(other)) for name, number, _, other, _ in rows}
    totals = {"all": (asked.total(), unread.total())}
    assert counts == {name: (asked[name], unread[name]) for name in asked} | totals
    shares = [share for _, _, share, _, other in rows for share in (share, other)]
    assert all(0 <= int(share.removesuffix("%")) <= 100 for share in shares)
