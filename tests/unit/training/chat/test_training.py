import copy
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")

# These import torch themselves, or what does.
from training.chat.answers import FolderAnswers  # noqa: E402
from training.chat.cards import card  # noqa: E402
from training.chat.checkpoints import save, started_anew  # noqa: E402
from training.chat.config import Architecture, Schedule  # noqa: E402
from training.chat.corpus import Corpus  # noqa: E402
from training.chat.dialogue import Dialogue, Message  # noqa: E402
from training.chat.huggingface import write_checkpoint  # noqa: E402
from training.chat.model import Decoder, causal_attention  # noqa: E402
from training.chat.optimizers import orthogonal  # noqa: E402
from training.chat.prompts import Prompts  # noqa: E402
from training.chat.shipped import read_folder  # noqa: E402
from training.chat.tokenizer import train_tokenizer  # noqa: E402
from training.chat.train import Training, go_on, main, rate  # noqa: E402
from training.chat.transplant import transplanted  # noqa: E402

STARTER = Path(__file__).parents[4] / "models" / "starter-chat"
SMALL = Architecture(vocabulary=1024, width=32, layers=2, heads=2, kv_heads=1, head=16, hidden=48)
SCHEDULE = Schedule(steps=4, warmup_steps=1, cooldown_steps=2, batch_tokens=6144)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(1024, seed=1, dialogues=100)


def test_a_token_does_not_see_what_comes_after_it() -> None:
    torch.manual_seed(1)
    model = Decoder(SMALL)
    ids = torch.randint(0, 1024, (2, 12))
    changed = ids.clone()
    changed[:, 8:] = 5
    before, after = (model(each).unflatten(0, (2, 12))[:, :8] for each in (ids, changed))
    torch.testing.assert_close(before, after)


@pytest.mark.parametrize("tokens", [9, 64, 96, 200, 320])
def test_attention_in_blocks_is_the_fused_one(tokens: int) -> None:
    torch.manual_seed(1)
    queries, keys, values = torch.randn(2, 4, tokens, 16), *torch.randn(2, 2, 2, tokens, 16)
    fused = torch.nn.functional.scaled_dot_product_attention(
        queries, keys, values, is_causal=True, enable_gqa=True
    )
    torch.testing.assert_close(causal_attention(queries, keys, values), fused)


def test_the_decoder_is_transformers_qwen3(tokenizer: Tokenizer, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    training = Training(tokenizer, SMALL, SCHEDULE)
    write_checkpoint(training.state(), tmp_path / "folder")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "folder")
    ids = torch.randint(0, 1024, (1, 20))
    with torch.no_grad():
        ours = training.average.logits(training.average(ids))
        torch.testing.assert_close(ours, theirs(ids).logits[0], atol=1e-4, rtol=1e-3)


def test_muons_updates_have_singular_values_near_one() -> None:
    torch.manual_seed(1)
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 24, 40)).float())
    assert 0.5 < values.min() < values.max() < 1.5


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    schedule = replace(SCHEDULE, steps=100, warmup_steps=10, cooldown_steps=20)
    assert rate(0, schedule) == pytest.approx(0.1)
    assert rate(50, schedule) == 1.0
    assert rate(90, schedule) == pytest.approx(0.5)
    assert rate(100, schedule) == 0.0


def test_a_training_learns_and_goes_on_from_its_state(tokenizer: Tokenizer) -> None:
    schedule = replace(SCHEDULE, steps=10)
    training = Training(tokenizer, SMALL, schedule)
    first, *_, last = (training.advance() for _ in range(8))
    assert last < first - 0.1
    state = copy.deepcopy(training.state())
    resumed = go_on(state, schedule)
    assert resumed.step == 8
    torch.testing.assert_close(resumed.state()["average"], state["average"])
    # The batches that were drawn ahead are drawn anew, so both learn from the same ones.
    batches = list(islice(Corpus(tokenizer, "1").batches(3072), 2))
    for each in (training, resumed):
        each._batches = iter(batches)
    assert resumed.advance() == pytest.approx(training.advance())
    for name in ("model", "average", "optimizers"):
        torch.testing.assert_close(resumed.state()[name], training.state()[name])


def test_a_checkpoint_without_its_optimizers_is_none(tokenizer: Tokenizer) -> None:
    training = Training(tokenizer, SMALL, SCHEDULE)
    state = training.state()
    del state["optimizers"]
    with pytest.raises(KeyError):
        go_on(state, SCHEDULE)


def test_a_training_that_goes_on_draws_other_dialogues(tokenizer: Tokenizer) -> None:
    training = Training(tokenizer, SMALL, SCHEDULE)
    first = training.advance()
    assert go_on(started_anew(training.state()), SCHEDULE).advance() != first
    again = Training(tokenizer, SMALL, SCHEDULE)
    assert again.advance() == pytest.approx(first)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--start", "models/starter-chat"], "move it away to begin with --start"),
        (["--new-tokenizer"], "--new-tokenizer is for --start"),
        (["--cooldown-steps", "0"], "a cool-down of 0 steps; expected 1 to 33300"),
        (["--steps", "3"], "a cool-down of 14000 steps; expected 1 to 3"),
        (["--peak", "1.5"], "a peak of 1.5"),
        (["--steps", "50000"], "copy before-cooldown.pt over it"),
    ],
)
def test_the_command_line_says_what_it_would_not_do(
    arguments: list[str],
    problem: str,
    tokenizer: Tokenizer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = Training(tokenizer, SMALL, Schedule())
    training.step = Schedule().steps - 5
    save(training.state(), tmp_path / "checkpoint.pt")
    monkeypatch.setattr("sys.argv", ["train", "--output", str(tmp_path), *arguments])
    with pytest.raises(SystemExit):
        main()
    assert problem in capsys.readouterr().err


def test_a_card_tells_its_own_checkpoint(tokenizer: Tokenizer) -> None:
    training = Training(tokenizer, SMALL, SCHEDULE)
    training.advance()
    alone = card(training.state(), "int4")
    assert "2 layers, width 32, 2 query and 1 key heads of 16" in alone
    assert "int4 in blocks" in alone
    assert "1 steps of up to 6,144 tokens" in alone
    assert "one go" not in alone
    assert "{" not in alone
    begun = go_on(started_anew(training.state()), SCHEDULE)
    begun.advance()
    assert "its last 1 steps" in card(begun.state(), "int8")


def test_a_training_starts_from_the_averaged_weights_of_another(tokenizer: Tokenizer) -> None:
    training = Training(tokenizer, SMALL, SCHEDULE)
    training.advance()
    begun = go_on(started_anew(training.state()), SCHEDULE)
    assert (begun.step, begun.steps_before) == (0, 1)
    assert begun.state()["tokenizer"] == training.state()["tokenizer"]
    for ours, theirs in zip(begun.model.parameters(), training.average.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    begun.advance()


def test_the_folder_that_ships_is_read_back_as_it_answers() -> None:
    question = Dialogue((Message("user", "What is the capital of France?"),))
    [served] = FolderAnswers(STARTER, threads=1).answer([question])
    state = read_folder(STARTER)
    model = Decoder(Architecture(**state["shape"]))
    model.load_state_dict(state["average"])
    tokenizer = Tokenizer.from_str(state["tokenizer"])
    prompt = tokenizer.encode(Prompts().render(question, is_question=True)).ids
    answer = tokenizer.encode(served).ids
    with torch.no_grad():
        logits = model.logits(model(torch.tensor([prompt + answer])))
    assert logits[len(prompt) - 1 : -1].argmax(-1).tolist() == answer
    assert state["steps_before"] > 10_000


def test_tokens_keep_their_meaning_in_another_tokenizer(tokenizer: Tokenizer) -> None:
    new = train_tokenizer(900, seed=2, dialogues=200)
    training = Training(tokenizer, SMALL, SCHEDULE)
    before = training.state()["average"]["embed_tokens.weight"]
    moved = transplanted(started_anew(training.state()), new)
    after = moved["average"]["embed_tokens.weight"]
    assert after.shape == (new.get_vocab_size(), SMALL.width)
    torch.testing.assert_close(after[new.token_to_id("{")], before[tokenizer.token_to_id("{")])
    word, pieces = next(
        (place, tokenizer.encode(token).ids)
        for token, place in new.get_vocab().items()
        if token.isalpha() and not {token, f"Ġ{token}"} & set(tokenizer.get_vocab())
    )
    torch.testing.assert_close(after[word], before[pieces].mean(0))
