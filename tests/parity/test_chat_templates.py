"""The prompts of published chat templates against those of transformers itself."""

import pytest

from tests.unit.chat.conversations import CONVERSATIONS, TEMPLATES, prompts_of
from tests.unit.chat.test_real_templates import source_of, written

pytest.importorskip("transformers", reason="make test-parity installs the reference")

pytestmark = [
    pytest.mark.parity,
    pytest.mark.needs_shared,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(not TEMPLATES.is_dir(), reason="needs the templates beside the repository"),
]


@pytest.mark.parametrize("name", [path.stem for path in sorted(TEMPLATES.glob("*.jinja"))])
def test_prompts_are_those_of_transformers_to_the_letter(name: str) -> None:
    from tests.parity.chat_templates import reference_prompt

    source = source_of(name)
    prompts = prompts_of(source)
    for conversation in CONVERSATIONS.values():
        for open_end in (False, True):
            ours = written(prompts, conversation, open_end=open_end)
            assert ours == reference_prompt(source, conversation, open_end=open_end)
