"""Frozen backbones: twelve linear heads cold, twelve more with features cached, with flips, and the last layers."""

from measuring import Measured, Setting, at_least, fresh, ours, plain, subset

EPOCHS = 10
SEEDS = "seed=0,1,2"
HEADS = "weighting=none,balanced,sqrt_balanced,effective_number"
MORE = "weighting=none,balanced,sqrt_balanced,focal"


def measure(setting: Setting) -> list[Measured]:
    """All figures of frozen backbones; the naive side is extrapolated from a run of fewer epochs."""
    per_class = 300 if setting.full else 40
    folder, size = subset(setting, per_class), 128
    source = {"folder": folder, "size": size, "weights": setting.weights, "application": "Xception"}
    words = (
        "dataset=folder",
        f"dataset.root={folder}",
        "dataset.allow_outside_root=true",
        "dataset.copies=ignore",
        "dataset.conflicts=keep",
        f"dataset.image_size={size}",
        "backbone=xception",
        f"backbone.weights={setting.weights or 'none'}",
        f"training.epochs={EPOCHS}",
        "training.batch_size=32",
        "dataset.name=pictures",
        "report.level=board",
    )
    seeds = SEEDS if setting.weights else "seed=0"  # random frozen weights differ from seed to seed
    dropouts = "" if setting.weights else "head.dropout=0.1,0.2,0.3"
    shared = tuple(word for word in (*words, "finetune=frozen", "head=linear", seeds, dropouts) if word)
    found = []
    naive = _naive(plain("frozen", **source, trainable=0, flip=False, epochs=3), 12)
    results = fresh(setting.scratch / "frozen")
    cold = ours(*shared, HEADS, f"paths.results={results}")
    found.append(
        at_least(
            "frozen Xception 128, 12 linear heads x 10 epochs, cold",
            70,
            naive / cold,
            f"naive {naive:.0f} s (extrapolated), ours {cold:.1f} s end to end",
        )
    )
    cached = ours(*shared, MORE, "training.learning_rate=2e-3", f"paths.results={results}", "sweep.name=more")
    found.append(at_least("12 more linear heads, features cached", 300, naive / cached, f"ours {cached:.1f} s"))
    naive = _naive(plain("frozen", **source, trainable=0, flip=True, epochs=3), 12)
    results = fresh(setting.scratch / "flips")
    flips = ours(*shared, HEADS, "augmentation=flip", "training.augmented_views=8", f"paths.results={results}")
    found.append(
        at_least(
            "frozen with flips, 8 views, 12 heads x 10 epochs",
            8,
            naive / flips,
            f"naive {naive:.0f} s (extrapolated), ours {flips:.1f} s",
        )
    )
    naive = _naive(plain("frozen", **source, trainable=6, flip=False, epochs=3), 4)
    results = fresh(setting.scratch / "last")
    last = ours(
        *words, "finetune=last_n", "finetune.last_n=6", "head=linear", "seed=0", HEADS, f"paths.results={results}"
    )
    found.append(
        at_least(
            "last_n = 6 on Xception, 4 configurations x 10 epochs",
            5,
            naive / last,
            f"naive {naive:.0f} s (extrapolated), ours {last:.1f} s",
        )
    )
    return found


def _naive(seconds: dict, configurations: int) -> float:
    """One process that trains all configurations in turn: start-up once, every epoch in full."""
    first, *later = seconds["epochs"]
    each = seconds["building"] + first + (EPOCHS - 1) * min(later) + seconds["predicting"]
    return float(seconds["start_up"] + configurations * each)
