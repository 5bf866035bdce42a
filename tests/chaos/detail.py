"""What events carry besides labels: scores and features, dealt out in turn so that nothing drifts; rollouts."""

from __future__ import annotations

from collections.abc import Mapping

LABELS = ("yes", "no")
SURE = (0.875, 0.9375, 0.75, 0.96875)
"""The scores of what was said."""
ROLLOUTS = (
    (0, 1.0, "v1", "live"),
    (0, 1.0, "v2", "canary"),
    (1, 1.0, "v2", "canary"),
    (1, 200.0, "v2", "live"),
    (2, 1.0, "v2", "canary"),
)
"""Of each model: day, seconds within it, version, stage. So far apart that no shuffling turns them round."""


def detail(number: int, predicted: object) -> Mapping[str, object]:
    """Return the scores and features of a prediction, as fields of its event."""
    age = None if number % 10 == 0 else number % 7
    features = {"amount": number % 16, "device": ("app", "web", "tv")[number % 3], "age": age}
    if predicted not in LABELS:
        return {"features": features}
    sure = SURE[number % len(SURE)]
    return {
        "features": features,
        "scores": {label: sure if label == predicted else 1.0 - sure for label in LABELS},
    }
