"""The chat templates of published models write what transformers writes with them."""

import hashlib
import json

import pytest

from services.chat.engine.reasoning import detect_tags
from services.chat.engine.templates.prompts import Prompts
from services.chat.engine.tool_calls.formats import FORMATS, detect_format
from services.runtime.errors import InvalidRequestError
from tests.unit.chat.conversations import (
    ASKED,
    CALLED,
    CONVERSATIONS,
    FOUND,
    RECORDED,
    SYSTEM,
    TEMPLATES,
    TOOLS,
    Conversation,
    prompts_of,
)

pytestmark = [
    pytest.mark.needs_shared,
    pytest.mark.skipif(not TEMPLATES.is_dir(), reason="needs the templates beside the repository"),
]

RECORDS: dict[str, dict[str, str | None]] = json.loads(RECORDED.read_text(encoding="utf-8"))

FORMATS_OF = {
    "Apriel-1.6-15b-Thinker-fixed": "apriel",
    "ByteDance-Seed-OSS": "seed_oss",
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use": None,
    "GLM-4.6": "glm",
    "Kimi-K2-Instruct": None,
    "Mistral-Small-3.2-24B-Instruct-2506": "mistral_args",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": "qwen_coder",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "hermes",
    "Qwen-QwQ-32B": "hermes",
    "Qwen-Qwen2.5-7B-Instruct": "hermes",
    "Qwen-Qwen3-0.6B": "hermes",
    "Qwen3-Coder": "qwen_coder",
    "Qwen3.5-4B": "qwen_coder",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": "deepseek_v3",
    "deepseek-ai-DeepSeek-V3.1": "deepseek_v31",
    "deepseek-ai-DeepSeek-V3.2": None,
    "fireworks-ai-llama-3-firefunction-v2": "functools",
    "google-gemma-2-2b-it": None,
    "ibm-granite-granite-3.3-2B-Instruct": "granite",
    "llama-cpp-deepseek-r1": "deepseek_v3",
    "meetkai-functionary-medium-v3.1": None,
    "meta-llama-Llama-3.1-8B-Instruct": "llama3",
    "meta-llama-Llama-3.2-3B-Instruct": "llama3",
    "microsoft-Phi-3.5-mini-instruct": None,
    "mistralai-Ministral-3-14B-Reasoning-2512": "mistral_args",
    "mistralai-Mistral-Nemo-Instruct-2407": "mistral",
    "openai-gpt-oss-120b": "gpt_oss",
    "unsloth-Apriel-1.5": "apriel",
}


def source_of(name: str) -> str:
    return (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")


def written(prompts: Prompts, conversation: Conversation, *, open_end: bool) -> str | None:
    try:
        return prompts.write(
            conversation.messages,
            tools=conversation.tools,
            add_generation_prompt=open_end,
            variables=conversation.variables,
        )
    except InvalidRequestError:
        return None


@pytest.mark.parametrize("name", RECORDS)
def test_prompts_are_those_of_transformers(name: str) -> None:
    prompts = prompts_of(source_of(name))

    digests = {}
    for case, conversation in CONVERSATIONS.items():
        for open_end in (False, True):
            prompt = written(prompts, conversation, open_end=open_end)
            key = f"{case}, open" if open_end else case
            digests[key] = prompt and hashlib.sha256(prompt.encode()).hexdigest()[:16]

    assert digests == RECORDS[name]


def test_every_template_at_hand_is_recorded() -> None:
    assert sorted(RECORDS) == sorted(path.stem for path in TEMPLATES.glob("*.jinja"))


@pytest.mark.parametrize("name", FORMATS_OF)
def test_a_template_tells_the_format_of_its_calls(name: str) -> None:
    expected = FORMATS_OF[name]

    found = detect_format(source_of(name))

    assert found is (FORMATS[expected] if expected else None)


@pytest.mark.parametrize(
    "name",
    ["Qwen-Qwen3-0.6B", "Qwen-QwQ-32B", "LFM2-8B-A1B", "unsloth-mistral-Devstral-Small-2507"],
)
def test_a_call_without_content_is_written_where_the_template_asks_for_content(name: str) -> None:
    """OpenAI writes null there; these templates fail on it."""
    prompts = prompts_of(source_of(name))

    silent = prompts.write([ASKED, {**CALLED, "content": None}, FOUND], tools=TOOLS)

    assert silent == prompts.write([ASKED, CALLED, FOUND], tools=TOOLS)


@pytest.mark.parametrize(
    "name", ["deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "meetkai-functionary-medium-v3.2"]
)
def test_arguments_stay_text_where_the_template_adds_them_to_text(name: str) -> None:
    prompts = prompts_of(source_of(name))

    prompt = prompts.write([ASKED, {**CALLED, "content": None}, FOUND], tools=TOOLS)

    assert CALLED["tool_calls"][0]["function"]["arguments"] in prompt


@pytest.mark.parametrize("name", ["Qwen-Qwen2.5-7B-Instruct", "GLM-4.6", "Qwen3.5-4B"])
def test_a_template_gets_parts_where_it_iterates_and_joined_text_elsewhere(name: str) -> None:
    prompts = prompts_of(source_of(name))
    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]

    prompt = prompts.write([SYSTEM, {"role": "user", "content": parts}])

    assert ("One\ntwo" if "2.5" in name else "Onetwo") in prompt


def test_templates_tell_how_their_models_think() -> None:
    thinking = {name for name in RECORDS if detect_tags(source_of(name))}

    assert {"Qwen-Qwen3-0.6B", "GLM-4.6", "deepseek-ai-DeepSeek-V3.1"} <= thinking
    assert not thinking & {"Qwen-Qwen2.5-7B-Instruct", "google-gemma-2-2b-it"}
