"""Trains the starter model: `python -m training.chat.train [--output build/training/chat]`.

It goes on from its last checkpoint, so it may be stopped at any time. `before-cooldown.pt` is the
one that a longer training goes on from: copied over `checkpoint.pt`, with more `--steps`.
"""

import argparse
import copy
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch._inductor.config as inductor
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from training.chat.checkpoints import save, started_anew
from training.chat.config import Architecture, Schedule
from training.chat.cores import Cores
from training.chat.corpus import IGNORED, Batch, Corpus
from training.chat.model import Decoder
from training.chat.optimizers import optimizers
from training.chat.shipped import read_folder
from training.chat.tokenizer import train_tokenizer
from training.chat.transplant import transplanted

CHECKPOINT, BEFORE_COOLDOWN = "checkpoint.pt", "before-cooldown.pt"
_REPORT_STEPS = 20
_SAVE_STEPS = 100
_PARTS = 2
"""Batches of one step: rows of different lengths."""


class Training:
    """The state of a training, and its steps."""

    def __init__(self, tokenizer: Tokenizer, shape: Architecture, schedule: Schedule) -> None:
        torch.manual_seed(schedule.seed)
        self.schedule = schedule
        self.model = Decoder(shape)
        self.average = copy.deepcopy(self.model)
        self.optimizers = optimizers(
            self.model, schedule.muon_rate, schedule.adam_rate, schedule.weight_decay
        )
        self.step = 0
        self.steps_before = 0
        """Of trainings that this one goes on from."""
        self._tokenizer = tokenizer
        self._batches: Iterator[Batch] | None = None

    def advance(self) -> float:
        """Take one step and return its loss, per learned token."""
        if self._batches is None:
            corpus = Corpus(
                self._tokenizer, f"{self.schedule.seed} {self.steps_before + self.step}"
            )
            self._batches = corpus.batches(self.schedule.batch_tokens // _PARTS)
        batches = [next(self._batches) for _ in range(_PARTS)]
        learned = sum(int((batch.targets != IGNORED).sum()) for batch in batches)
        loss = 0.0
        for batch in batches:
            part = _loss(self.model, batch) / learned
            part.backward()
            loss += part.item()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip_norm)
        self._update()
        return loss

    def _update(self) -> None:
        share = rate(self.step, self.schedule)
        for optimizer, full in zip(
            self.optimizers, (self.schedule.muon_rate, self.schedule.adam_rate), strict=True
        ):
            for group in optimizer.param_groups:
                group["lr"] = full * share
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        decay = min(self.schedule.average_decay, self.step / (self.step + 10))
        with torch.no_grad():
            for ours, theirs in zip(
                self.average.parameters(), self.model.parameters(), strict=True
            ):
                ours.lerp_(theirs, 1 - decay)

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on."""
        return {
            "shape": asdict(self.model.shape),
            "schedule": asdict(self.schedule),
            "tokenizer": self._tokenizer.to_str(),
            "step": self.step,
            "steps_before": self.steps_before,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [each.state_dict() for each in self.optimizers],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state; one that starts anew has averaged weights only."""
        self.step, self.steps_before = state["step"], state["steps_before"]
        self.average.load_state_dict(state["average"])
        if "model" not in state:
            self.model.load_state_dict(state["average"])
            return
        self.model.load_state_dict(state["model"])
        for optimizer, told in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(told)


def rate(step: int, schedule: Schedule) -> float:
    """Return the share of the full rates: up, level, and down to nothing.

    Source: https://arxiv.org/abs/2404.06395 (warm-up, stable, decay)
    """
    warm = (step + 1) / schedule.warmup_steps
    left = (schedule.steps - step) / schedule.cooldown_steps
    return schedule.peak * min(1.0, warm, left)


def _loss(model: Decoder, batch: Batch) -> Tensor:
    """Return the summed loss; the head is computed for what is learned only."""
    targets = torch.from_numpy(batch.targets).flatten()
    places = (targets != IGNORED).nonzero().flatten()
    with torch.autocast("cpu", torch.bfloat16):
        stream = model(torch.from_numpy(batch.ids))
        logits = model.logits(stream[places])
    return functional.cross_entropy(logits.float(), targets[places], reduction="sum")


def train(training: Training, output: Path) -> None:
    """Train to the end of the schedule.

    Args:
        training: Where to go on from.
        output: Gets the checkpoints and the log.
    """
    output.mkdir(parents=True, exist_ok=True)
    schedule, checkpoint = training.schedule, output / CHECKPOINT
    training.model.compile()
    losses, begun, cores = list[float](), time.monotonic(), Cores(torch.get_num_threads())
    while training.step < schedule.steps:
        torch.set_num_threads(cores.free())
        if training.step == schedule.steps - schedule.cooldown_steps:
            save(training.state(), output / BEFORE_COOLDOWN)
        losses.append(training.advance())
        if training.step % _REPORT_STEPS == 0:
            speed = len(losses) * schedule.batch_tokens / (time.monotonic() - begun)
            _tell(output, training.step, sum(losses) / len(losses), speed)
            losses, begun = [], time.monotonic()
        if training.step % _SAVE_STEPS == 0:
            save(training.state(), checkpoint)
    save(training.state(), checkpoint)


def begin(shape: Architecture, schedule: Schedule) -> Training:
    """Return a new training, with a tokenizer learned for it."""
    return Training(train_tokenizer(shape.vocabulary, schedule.seed), shape, schedule)


def go_on(state: dict[str, Any], schedule: Schedule) -> Training:
    """Return the training of a checkpoint."""
    shape = Architecture(**state["shape"])
    training = Training(Tokenizer.from_str(state["tokenizer"]), shape, schedule)
    training.restore(state)
    return training


def start_from(path: Path, schedule: Schedule, *, is_renewed: bool = False) -> Training:
    """Return a new training with the weights of a checkpoint or of an exported folder.

    Args:
        path: Of the checkpoint or the folder.
        schedule: Of the new training.
        is_renewed: Whether the tokenizer is learned anew.
    """
    state = read_folder(path) if path.is_dir() else started_anew(torch.load(path))
    if is_renewed:
        tokenizer = train_tokenizer(state["shape"]["vocabulary"], schedule.seed)
        state = transplanted(state, tokenizer)
    return go_on(state, schedule)


def _tell(output: Path, step: int, loss: float, speed: float) -> None:
    line = f"{time.strftime('%H:%M:%S')} step {step} loss {loss:.4f} {speed:.0f} tokens/s\n"
    with (output / "log.txt").open("a", encoding="utf-8") as log:
        log.write(line)


def cools(state: dict[str, Any], schedule: Schedule) -> bool:
    """Return whether a checkpoint is in a cool-down that a schedule would undo."""
    before = Schedule(**state["schedule"])
    begun = state["step"] > before.steps - before.cooldown_steps
    return begun and schedule != before


def main() -> None:
    """Read the command line and train."""
    parser = _parser()
    told = parser.parse_args()
    checkpoint = told.output / CHECKPOINT
    if told.start and checkpoint.exists():
        parser.error(f"{checkpoint} goes on where it stopped; move it away to begin with --start")
    if told.new_tokenizer and not told.start:
        parser.error("--new-tokenizer is for --start; a training from the start learns its own")
    torch.set_num_threads(told.threads)
    inductor.cpp.dynamic_threads = True
    try:
        schedule = replace(
            Schedule(), steps=told.steps, cooldown_steps=told.cooldown_steps, peak=told.peak
        )
        training = _opened(checkpoint, schedule, told.start, is_renewed=told.new_tokenizer)
    except ValueError as error:
        parser.error(str(error))
    if training.step >= schedule.steps:
        sys.stdout.write(f"{checkpoint} has all its steps; move it away to train anew\n")
    train(training, told.output)


def _opened(
    checkpoint: Path, schedule: Schedule, start: Path | None, *, is_renewed: bool
) -> Training:
    """Return the training that there is, or a new one.

    Raises:
        ValueError: The one that there is cools down by another schedule.
    """
    if checkpoint.exists():
        state = torch.load(checkpoint)
        if cools(state, schedule):
            raise ValueError(
                f"{checkpoint} cools down by another schedule; to train longer, copy"
                f" {BEFORE_COOLDOWN} over it"
            )
        return go_on(state, schedule)
    if start:
        return start_from(start, schedule, is_renewed=is_renewed)
    return begin(Architecture(), schedule)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Trains the starter model.")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/training/chat"),
        help="where checkpoints and log go; a checkpoint that is there goes on",
    )
    parser.add_argument("--start", type=Path, help="a checkpoint or a model folder to begin with")
    parser.add_argument(
        "--new-tokenizer", action="store_true", help="learn the tokenizer anew for --start"
    )
    parser.add_argument(
        "--steps", type=int, default=Schedule().steps, help="to train in all, without --start's"
    )
    parser.add_argument(
        "--cooldown-steps",
        type=int,
        default=Schedule().cooldown_steps,
        help="the last of --steps, in which the rates fall to nothing",
    )
    parser.add_argument(
        "--peak",
        type=float,
        default=Schedule().peak,
        help="the share of the full rates to begin with; 0.5 suits a --start that has cooled down",
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="to compute with")
    return parser


if __name__ == "__main__":
    main()
