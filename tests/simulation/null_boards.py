"""Error rates, coverage and power of the ranking statistics, on boards whose truth is known.

    python tests/simulation/null_boards.py --boards 500

An image is answered rightly when ability of the class + shared image difficulty + candidate x image + image x seed +
seed effect is above 0 (a probit world). Null boards hold K equal recipes: any rank claimed is an error, and so is a row
dropped from those tied with the best. On the other boards row 0 is better than all and half of the rest are worse; the
winner is found when row 0 alone remains. With one seed there is no seed effect, since the claim is about the weights.

Beside it stands McNemar's exact test with Holm's correction over all pairs, image by image on the first seed, as it is
commonly used. It claims weights, not recipes, and takes copies for new images: where its own error is above what is
allowed, the differences it finds are not power.

Expected: error at most .065, coverage .92 to .99, and, wherever McNemar + Holm keeps to the error allowed, the winner
and the pairs found at least as often as by it. Exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
from multiprocessing import Pool
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.statistics import METRICS, Answers, Metric, Outcomes, compare

Floats = NDArray[np.float64]

CLASS_SHARES = np.array([0.6, 0.3, 0.1])
ABILITIES = np.array([1.5, 1.2, 0.6])
SHARED, OWN, SEED_IMAGE = 0.5, 0.25, 0.25
SHARPNESS = 2.0
DRAWS = 4000
ERROR_ALLOWED = 0.065
POWER_METRIC: Metric = "accuracy"


class Cell(NamedTuple):
    """One setting.

    candidates, images, copies, seeds: K, N (copies included), how often each picture is in, S.
    seed_effect: standard deviation of a seed's ability; .05 moves accuracy by about .01.
    lead: ability of the best row above the next on boards that are not null.
    """

    candidates: int
    images: int
    copies: int
    seeds: int
    seed_effect: float
    lead: float


class Board(NamedTuple):
    """What a null board and one that is not showed; lists have one entry per metric."""

    ranked: list[bool]
    dropped: list[bool]
    covered: list[float]
    winner: bool
    found: float
    mcnemar_error: bool
    mcnemar_winner: bool
    mcnemar_found: float


class Row(NamedTuple):
    """A row of the table: shares of boards, and power (winner, pairs) where it was measured."""

    cell: Cell
    metric: Metric
    rank_error: float
    tied_error: float
    coverage: float
    power: tuple[float, float] | None
    mcnemar_error: float
    mcnemar_power: tuple[float, float]

    def expected(self) -> bool:
        """Whether error, coverage and power are what the method promises."""
        stronger = True
        if self.power and self.mcnemar_error <= ERROR_ALLOWED:
            stronger = self.power[0] >= self.mcnemar_power[0] and self.power[1] >= self.mcnemar_power[1]
        return max(self.rank_error, self.tied_error) <= ERROR_ALLOWED and 0.92 <= self.coverage <= 0.99 and stronger

    def __str__(self) -> str:
        setting = [*self.cell[:4], f"{self.cell.seed_effect:g}", self.metric]
        shares = [self.rank_error, self.tied_error, self.coverage]
        if self.power:
            shares += [*self.power, self.mcnemar_error, *self.mcnemar_power]
        columns = [*map(str, setting), *(f"{share:.3f}" for share in shares)]
        return "| " + " | ".join(columns + [""] * (COLUMNS - len(columns))) + " |"


HEADINGS = (
    *("K", "N", "copies", "S", "seed effect", "metric", "rank error", "tied error", "coverage"),
    *("winner found", "pairs found", "M+H error", "M+H winner", "M+H pairs"),
)
COLUMNS = len(HEADINGS)

CELLS = (
    Cell(8, 60, 1, 1, 0.0, 1.0),
    Cell(8, 60, 1, 3, 0.05, 1.0),
    Cell(8, 300, 1, 1, 0.0, 0.45),
    Cell(8, 300, 1, 3, 0.05, 0.45),
    Cell(8, 1000, 1, 1, 0.0, 0.25),
    Cell(8, 1000, 1, 3, 0.05, 0.25),
    Cell(8, 1000, 1, 3, 0.12, 0.45),
    Cell(8, 600, 2, 3, 0.05, 0.45),
    Cell(40, 300, 1, 1, 0.0, 0.55),
    Cell(40, 300, 1, 3, 0.05, 0.55),
)


def outcomes(cell: Cell, abilities: Floats, generator: np.random.Generator) -> Outcomes:
    """Answers of recipes with these abilities, [K], added to those of the classes."""
    sizes = np.round(CLASS_SHARES * cell.images / cell.copies).astype(int)
    truth = np.repeat(np.arange(sizes.size), sizes)
    other = (truth + generator.integers(1, sizes.size, truth.size)) % sizes.size
    base = ABILITIES[truth] + np.sqrt(SHARED) * generator.standard_normal(truth.size)
    rows = []
    for ability in abilities:
        own = base + ability + np.sqrt(OWN) * generator.standard_normal(truth.size)
        latent = own + np.sqrt(SEED_IMAGE) * generator.standard_normal((cell.seeds, truth.size))
        latent += cell.seed_effect * generator.standard_normal((cell.seeds, 1))
        predicted = np.where(latent > 0, truth, other).astype(np.int32)
        logarithm = -np.logaddexp(0, -SHARPNESS * latent)
        rows.append(Answers("frozen", np.tile(predicted, cell.copies), np.tile(logarithm, cell.copies)))
    groups = np.tile(np.arange(truth.size), cell.copies)
    return Outcomes(np.tile(truth, cell.copies), groups, sizes.size, tuple(rows))


def true_scores(cell: Cell) -> dict[Metric, float]:
    """Expected scores of the recipe on null boards, integrated over seeds by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    weights = weights / weights.sum()
    sizes = np.round(CLASS_SHARES * cell.images)
    recall = stats.norm.cdf(ABILITIES + cell.seed_effect * nodes[:, None])
    wrong = sizes * (1 - recall) / (sizes.size - 1)
    predicted = sizes * recall + wrong.sum(axis=1, keepdims=True) - wrong
    latent = ABILITIES + np.sqrt(1 + cell.seed_effect**2) * nodes[:, None]
    share = sizes / sizes.sum()
    return {
        "accuracy": float(weights @ recall @ share),
        "balanced_accuracy": float((weights @ recall).mean()),
        "macro_f1": float(weights @ (2 * sizes * recall / (sizes + predicted)).mean(axis=1)),
        "log_loss": float(weights @ np.logaddexp(0, -SHARPNESS * latent) @ share),
    }


def mcnemar_holm(board: Outcomes) -> NDArray[np.bool_]:
    """Ordered pairs [K, K] that McNemar's exact test with Holm's correction over all pairs tells apart."""
    right = np.array([a.predicted[0] == board.truth for a in board.candidates], dtype=np.float64)
    ahead = right @ (1 - right).T
    first, second = np.triu_indices(len(right), 1)
    wins, losses = ahead[first, second], ahead[second, first]
    p_values = np.minimum(1, 2 * stats.binom.cdf(np.minimum(wins, losses), wins + losses, 0.5))
    order = np.argsort(p_values)
    passed = np.logical_and.accumulate(p_values[order] <= 0.05 / np.arange(order.size, 0, -1))
    settled = order[passed]
    better = np.zeros((len(right), len(right)), dtype=np.bool_)
    forward = wins[settled] > losses[settled]
    better[np.where(forward, first[settled], second[settled]), np.where(forward, second[settled], first[settled])] = (
        True
    )
    return better


def simulate(task: tuple[int, int]) -> Board:
    """One null board and one other, of cell and number `task`."""
    cell = CELLS[task[0]]
    generator = np.random.default_rng(task)
    null = outcomes(cell, np.zeros(cell.candidates), generator)
    truth = true_scores(cell)
    ranked, dropped, covered = [], [], []
    for metric in METRICS:
        result = compare(null, metric, seed=task[1], draws=DRAWS)
        ranked.append(bool(result.surely_better.any()))
        dropped.append(not result.tied_with_best.all())
        inside = (result.estimates.low <= truth[metric]) & (truth[metric] <= result.estimates.high)
        covered.append(float(inside.mean()))
    abilities = np.where(np.arange(cell.candidates) % 2, 0.0, -cell.lead)
    abilities[0] = cell.lead
    board = outcomes(cell, abilities, generator)
    result = compare(board, POWER_METRIC, seed=task[1], draws=DRAWS)
    differ = abilities[:, None] > abilities[None, :]
    holm = mcnemar_holm(board)
    return Board(
        ranked,
        dropped,
        covered,
        bool(result.tied_with_best[0] and result.tied_with_best.sum() == 1),
        float(result.surely_better[differ].mean()),
        bool(mcnemar_holm(null).any()),
        bool(holm[0, 1:].all()),
        float(holm[differ].mean()),
    )


def table(boards: list[Board], cell: Cell) -> list[Row]:
    """Rows of one cell, one per metric."""

    def share(name: str) -> float:
        return float(np.mean([getattr(board, name) for board in boards]))

    power = (share("winner"), share("found"))
    mcnemar = (share("mcnemar_winner"), share("mcnemar_found"))
    by_metric = (np.mean([getattr(b, name) for b in boards], axis=0) for name in ("ranked", "dropped", "covered"))
    return [
        Row(
            cell,
            metric,
            *(float(number) for number in numbers),
            power=power if metric == POWER_METRIC else None,
            mcnemar_error=share("mcnemar_error"),
            mcnemar_power=mcnemar,
        )
        for metric, *numbers in zip(METRICS, *by_metric, strict=True)
    ]


def main() -> int:
    """Prints the table; 1 when a row misses what is expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=int, default=500, help="boards per cell")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--cells", type=int, nargs="*", default=range(len(CELLS)), help="positions of the cells to run")
    arguments = parser.parse_args()
    sys.stdout.write(f"| {' | '.join(HEADINGS)} |\n|{'---|' * COLUMNS}\n")
    outside = []
    for position in arguments.cells:
        tasks = [(position, board) for board in range(arguments.boards)]
        if arguments.jobs > 1:
            with Pool(arguments.jobs) as pool:
                boards = pool.map(simulate, tasks, chunksize=8)
        else:
            boards = [simulate(task) for task in tasks]
        rows = table(boards, CELLS[position])
        outside += [row for row in rows if not row.expected()]
        sys.stdout.write("".join(f"{row}\n" for row in rows))
        sys.stdout.flush()
    sys.stdout.write(f"\n{len(outside)} rows are not as expected.\n" + "".join(f"{row}\n" for row in outside))
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
