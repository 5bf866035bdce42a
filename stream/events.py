"""Core. The facts that travel through Tidewatch: predictions, outcomes, rollouts, findings, errors.

These records are the public contract: their JSON form is what producers send and what receivers read, and
the documents in ``docs/contract/`` are generated from them. Fields are only ever added.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

ALL = "all"
"""The slice that holds every prediction of a model version."""


class Instant(float):
    """A point in event time, in epoch seconds (UTC).

    On the wire it is an RFC 3339 string with an offset, or a number of epoch seconds or milliseconds;
    ``stream.wire`` converts it once, at the edge.
    """

    __slots__ = ()


LabelText = Annotated[str, Meta(max_length=256)]
Label = bool | int | float | LabelText
"""A class label (text, bool or number), or a regression value (number)."""

Identifier = Annotated[str, Meta(min_length=1, max_length=200)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
FeatureName = Annotated[str, Meta(min_length=1, max_length=64)]
# that there is no "=" in it is checked by ``stream.wire``: msgspec's own patterns cost more than the decoding
SliceName = Annotated[str, Meta(min_length=1, max_length=64, extra_json_schema={"pattern": "^[^=]*$"})]
WholeNumber = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
SliceValue = bool | WholeNumber | Annotated[str, Meta(max_length=128)]
Slices = Annotated[dict[SliceName, SliceValue], Meta(max_length=16)]
Features = Annotated[
    dict[FeatureName, float | bool | Annotated[str, Meta(max_length=256)] | None], Meta(max_length=500)
]
ClassScores = Annotated[dict[LabelText, Probability], Meta(max_length=1000)]

Task = Literal["classification", "regression"]
Stage = Literal["shadow", "canary", "live", "retired"]
Metric = Literal[
    "accuracy",
    "mae",
    "log_loss",
    "brier",
    "calibration",
    "recall",
    "bias",
    "psi",
    "missing_rate",
    "new_category_rate",
    "out_of_range_rate",
    "constant_rate",
    "traffic",
    "labels",
    "late_rate",
    "unmatched_rate",
    "unlabelled_rate",
    "duplicate_rate",
    "mismatched_rate",
    "clock_skew_rate",
]
"""What a finding is about: a figure of the losses (the first seven), a drift of a feature or of what was said (the
next five), or the events around a model: how many come an hour, or which share of them is in trouble."""
SHIFTS: Final[frozenset[Metric]] = frozenset(("bias", "calibration"))
"""Metrics that lie around 0 while all is well: what counts is how much farther they are, and no factor tells."""


class Prediction(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="prediction"):
    """What a model said, once per served prediction. Its Kafka key is ``model``.

    ``scores`` is the probability of the positive class, or one probability per class. A numeric ``prediction``
    without ``scores`` is a regression; everything else is a classification.
    """

    prediction_id: Identifier
    model: Identifier
    version: Identifier
    at: Instant
    prediction: Label
    scores: ClassScores | Probability | None = None
    slices: Slices = {}
    features: Features = {}


class Outcome(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="outcome"):
    """What really happened, once it is known. A later outcome for the same prediction corrects it."""

    prediction_id: Identifier
    model: Identifier
    at: Instant
    outcome: Label


class Rollout(Struct, frozen=True, kw_only=True, tag_field="type", tag="rollout"):
    """A version of a model changed its stage. ``traffic_share`` is within 0..1."""

    model: Identifier
    version: Identifier
    at: Instant
    stage: Stage
    trained_until: Instant | None = None
    traffic_share: Probability | None = None


Event = Prediction | Outcome | Rollout


class RolledOut(Struct, frozen=True, kw_only=True):
    """A rollout as a finding names it; ``at`` is epoch seconds of event time."""

    version: str
    stage: Stage
    at: float


class Window(Struct, frozen=True, kw_only=True):
    """A model's outcomes that became known in the newest ``span_s`` seconds of event time; how many were wrong.

    All of its versions count that are not known to be a shadow.
    """

    span_s: float
    outcomes: int
    wrong: int


class Errors(Struct, frozen=True, kw_only=True, tag_field="type", tag="errors"):
    """How wrong a classifier has been of late: said while a finding of it is open, each time it got worse.

    At most once in a minute of event time, and when in one of the ``windows`` (shortest first) the share of wrong
    outcomes has grown by a tenth since it was said last. ``at`` is event time in epoch seconds; ``proven_at``
    is the Kafka timestamp of the newest outcome, ``None`` without Kafka.
    """

    model: str
    at: float
    windows: tuple[Window, ...]
    proven_at: float | None = None


class Finding(Struct, frozen=True, kw_only=True, tag_field="type", tag="finding"):
    """A judged change of one model version in one slice; the only thing the alerts side acts on.

    ``id`` is the same for the opening and the closing of one episode, and computed from content: a replay of
    the same events gives the same ids. ``before`` and ``after`` are values of ``metric`` (accuracy within 0..1,
    mae in the unit of the prediction). Instants are epoch seconds of event time, except ``proven_at``: the Kafka
    timestamp of the record that proved the change, or in a closed finding its end; ``None`` without Kafka
    (replay of a file). ``detected_at`` is when the change was proved, also in a closed finding.
    ``rollouts`` are those of the model from an hour before ``onset_after`` until ``onset_before``; they are the
    first ``causes``.
    ``onset_after`` and ``onset_before`` are between which the onset most likely lies.
    ``windows`` say how wrong the model was when harm was found; empty for a regression or a drift.
    ``feature`` is what drifted (``@score`` or ``@prediction``: what the model said; ``@traffic``, ``@labels``,
    ``@join``, ``@kinds`` or ``@clock``: the events around the model), ``None`` when the loss rose.
    ``before_lower`` to ``before_upper`` holds ``before`` with 95 %, so for ``after``; of drifts there are none.
    ``label`` is the class whose recall fell, or the side (``above``, ``below``) of what happened on which a biased
    model's predictions lie.
    """

    id: str
    state: Literal["open", "closed"]
    severity: Literal["page", "ticket"]
    model: str
    version: str
    slice: str
    metric: Metric
    direction: Literal["worse", "changed"]
    before: float
    after: float
    before_count: int
    after_count: int
    onset_at: float
    detected_at: float
    events_since_onset: int
    episode: int
    examples: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    closed_at: float | None = None
    proven_at: float | None = None
    summary: str = ""
    onset_after: float | None = None
    onset_before: float | None = None
    rollouts: tuple[RolledOut, ...] = ()
    windows: tuple[Window, ...] = ()
    feature: str | None = None
    label: str | None = None
    before_lower: float | None = None
    before_upper: float | None = None
    after_lower: float | None = None
    after_upper: float | None = None


Told = Finding | Errors | Rollout
"""What the worker tells the pager: rollouts are passed on when a version comes to another stage."""


def finding_id(model: str, version: str, where: str, metric: str, episode: int) -> str:
    """Return the id of one episode: the same events give the same id, whatever was restarted in between."""
    content = "\0".join((model, version, where, metric, str(episode)))
    return sha256(content.encode()).hexdigest()[:24]
