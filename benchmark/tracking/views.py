"""Views: what MLflow's page shows first, the candidates of a sweep with their scores, intervals and ranks.

The page finds a view in a tag of the experiment, by the word `viewStateShareKey=bench` of its address.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmark import metrics
from benchmark.spec import AXES

TAG = "mlflow.sharedViewState.bench"
_PLACES = ("place/rank_low", "place/rank_high", "place/tied_with_best")
_FURTHER = ("test/macro_f1", "test/accuracy", "test/log_loss", "parameters/trainable")


def before_a_board() -> str:
    """The view of runs, as long as no board is there."""
    return json.dumps({"selectedColumns": _columns(AXES, ("test/balanced_accuracy", *_FURTHER))})


def of_candidates(sweep: str, primary: str, varying: Sequence[str]) -> str:
    """The view of a sweep's candidates, the best first: what varies between them, the score and the place."""
    score = f"mean/{primary}"
    further = [name for name in _FURTHER if name != f"test/{primary}"]
    state = {
        "selectedColumns": _columns(varying, (score, f"{score}_low", f"{score}_high", *_PLACES, *further)),
        "searchFilter": f"tags.kind = 'candidate' AND tags.sweep = '{sweep}'",
        "orderByKey": f"metrics.`{score}`",
        "orderByAsc": not metrics.find(primary).higher_is_better,
    }
    return json.dumps(state)


def _columns(params: Sequence[str], numbers: Sequence[str]) -> list[str]:
    return [*(f"params.`{name}`" for name in params), *(f"metrics.`{name}`" for name in numbers)]
