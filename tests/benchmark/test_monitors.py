import math

import pytest

from benchmark import metrics, monitors


def test_a_lower_loss_and_a_higher_accuracy_are_better() -> None:
    assert monitors.find("val_loss").better(0.1, 0.2)
    assert monitors.find("val_log_loss").better(0.1, 0.2)
    assert monitors.find("val_accuracy").better(0.2, 0.1)


@pytest.mark.parametrize("name", ["val_loss", *(f"val_{name}" for name in metrics.names())])
def test_a_tie_is_not_better_and_neither_is_nan(name: str) -> None:
    monitor = monitors.find(name)
    assert monitor.column == name
    assert not monitor.better(0.5, 0.5)
    assert not monitor.better(math.nan, 0.5)


def test_only_validation_may_choose_the_epoch() -> None:
    with pytest.raises(monitors.UnknownMonitor, match="only validation may choose the epoch"):
        monitors.find("train_loss")


def test_a_misspelt_metric_gets_a_suggestion() -> None:
    with pytest.raises(monitors.UnknownMonitor, match=r"training\.monitor 'val_acuracy'; did you mean 'val_accuracy'"):
        monitors.find("val_acuracy")
