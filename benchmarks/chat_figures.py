"""Figures of a benchmark in rounds, and tables of them in Markdown."""

import statistics
from dataclasses import dataclass, field

NOTHING = "-"


@dataclass(slots=True)
class Figures:
    """What was measured, by column and candidate; each a list, one entry a round."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def note(self, column: str, candidate: str, value: float) -> None:
        """Add a figure, and show it."""
        self.values.setdefault((column, candidate), []).append(value)
        print(f"  {column}: {candidate}: {value:.2f}", flush=True)

    def median(self, column: str, candidate: str) -> float | None:
        """Return the median of all rounds; None for what was not measured."""
        values = self.values.get((column, candidate))
        return statistics.median(values) if values else None

    def ratio(self, column: str, candidate: str, peer: str, peer_column: str = "") -> str:
        """Return how many times the peer's figure a candidate's is."""
        ours, theirs = self.median(column, candidate), self.median(peer_column or column, peer)
        return NOTHING if ours is None or theirs is None else f"{ours / theirs:.2f}"

    @property
    def columns(self) -> list[str]:
        """What was measured, in that order."""
        return list(dict.fromkeys(column for column, _ in self.values))

    @property
    def candidates(self) -> list[str]:
        """Of whom."""
        return list(dict.fromkeys(candidate for _, candidate in self.values))

    def table(self, title: str) -> str:
        """Return the medians, a row a candidate."""
        rows = {
            name: [_cell(self.median(column, name)) for column in self.columns]
            for name in self.candidates
        }
        return table(title, self.columns, rows)


def table(title: str, columns: list[str], rows: dict[str, list[str]]) -> str:
    """Return a table with numbers on the right."""
    lines = [f"| {title} | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join(lines)


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of all are not above."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def _cell(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f}"
