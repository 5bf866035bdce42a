"""Core. What each field of the contract means, and examples; ``docs/contract/`` says it in these words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

EVENT_FIELDS: Final[Mapping[str, str]] = {
    "type": "What kind of record this is.",
    "prediction_id": "The prediction's own id, unique within its model; its outcome carries the same one.",
    "model": "The model's name, and the record's Kafka key.",
    "version": "The version of the model that answered, or that changed its stage.",
    "at": "When it happened (not when it was sent): RFC 3339 with an offset, or epoch seconds; "
    "a number of 1e11 or more is epoch milliseconds.",
    "prediction": "What the model said: a class label (text, bool or number), or the value of a regression. "
    "A number without scores is a regression.",
    "scores": "The probability of the positive class (true or 1), or an object with one probability for each "
    "class; those of more than ten classes are not kept.",
    "slices": "What this prediction is to be judged by besides the whole, for instance country; at most 16.",
    "features": "Inputs of the model, to be watched for drift; null, or a name left out that others have, is a "
    "missing value; at most 500.",
    "outcome": "What really happened. A later outcome for the same prediction corrects it.",
    "stage": "The version's stage from this time on.",
    "trained_until": "The newest time in the version's training data, written like at.",
    "traffic_share": "The share of the model's traffic that this version gets, within 0..1.",
}

FINDING_FIELDS: Final[Mapping[str, str]] = {
    "type": EVENT_FIELDS["type"],
    "id": "The episode's id: the same when it opens and closes, and computed from content.",
    "state": "Whether the change has begun or is over.",
    "severity": "Whether somebody has to come now, or it can wait for working hours.",
    "model": EVENT_FIELDS["model"],
    "version": "The version that changed.",
    "slice": 'The slice that changed; "all" is every prediction of the version.',
    "metric": "What changed: accuracy, or recall of a class, within 0..1; mae or bias (said less happened) in the "
    "unit of the prediction; log_loss; brier; calibration, how much oftener it is wrong than its scores say (0: "
    "as often); for a drift psi, the population stability index (0 is no change), or a rate within 0..1.",
    "before_lower": "The lower end of the 95 % interval of before; null for a drift, or when it is not known.",
    "before_upper": "The upper end of the 95 % interval of before, or null.",
    "after_lower": "The lower end of the 95 % interval of after, or null.",
    "after_upper": "The upper end of the 95 % interval of after, or null.",
    "direction": "Which way it changed.",
    "before": "The metric before the onset.",
    "after": "The metric since the onset.",
    "before_count": "How many joined predictions before is made of; for a drift, values.",
    "after_count": "How many joined predictions after is made of; for a drift, values.",
    "onset_at": "When the change began, as estimated; epoch seconds of event time.",
    "onset_after": "From when on the change may have begun; epoch seconds of event time.",
    "onset_before": "Until when the change may have begun; epoch seconds of event time.",
    "detected_at": "Time of the event that proved the change; epoch seconds of event time.",
    "events_since_onset": "How many joined predictions came between onset and proof; for a drift, values.",
    "episode": "The number of this episode among those of its series.",
    "examples": "Ids of predictions that went wrong since the onset.",
    "causes": "What else changed before the onset, in words.",
    "rollouts": "The model's rollouts from an hour before onset_after until onset_before: version, stage, epoch "
    "seconds of event time.",
    "windows": "How wrong the model was when harm was found: outcomes, and how many of them were wrong, of the "
    "newest seconds of event time up to each span; all versions that serve count. Empty for a regression or a "
    "drift.",
    "closed_at": "When the change was over, or null while it lasts; epoch seconds of event time.",
    "proven_at": "Kafka timestamp of the record that proved the change, or once closed its end, in epoch "
    "seconds; null without Kafka.",
    "summary": "The finding in one sentence.",
    "feature": "The feature that drifted; @score or @prediction for what the model said, null when the loss rose.",
    "label": "The class whose recall fell; above or below: on which side of what happened a biased model's "
    "predictions lie; else null.",
}

ERRORS_FIELDS: Final[Mapping[str, str]] = {
    "type": EVENT_FIELDS["type"],
    "model": EVENT_FIELDS["model"],
    "at": "Time of the newest outcome; epoch seconds of event time.",
    "windows": "Outcomes, and how many of them were wrong, of the newest seconds of event time up to each span.",
    "proven_at": "Kafka timestamp of the newest outcome's record, in epoch seconds; null without Kafka.",
}

CLOUD_EVENT_HEADERS: Final[Mapping[str, str]] = {
    "ce_id": "CloudEvents id of the event.",
    "ce_source": "CloudEvents source: who sent it.",
    "ce_type": "CloudEvents type of the event.",
    "ce_time": "CloudEvents time; the event's own at decides.",
    "content-type": "application/cloudevents+json: the event is in the data of a CloudEvents envelope.",
}

DEAD_LETTER_HEADERS: Final[Mapping[str, str]] = {
    "tidewatch_reason": "Why the record was refused, in one word.",
    "tidewatch_error": "Field, value and what is wanted instead.",
    "tidewatch_source": "Where the record came from: topic/partition/offset.",
}

CUT_HEADERS: Final[Mapping[str, str]] = {
    "tidewatch_original_bytes": "There only when the record was too large to be kept whole: how many bytes its "
    "key/headers/value had; the first of each are here.",
}

EXAMPLES: Final[Mapping[str, list[dict[str, Any]]]] = {
    "prediction": [
        {
            "type": "prediction",
            "prediction_id": "ride-20260301-000017",
            "model": "cancel-risk",
            "version": "2026-02-20",
            "at": "2026-03-01T08:30:00.250Z",
            "prediction": True,
            "scores": 0.83,
            "slices": {"country": "pt", "airport": False},
            "features": {"distance_km": 7.4, "payment": "card", "driver_rating": None},
        },
        {
            "type": "prediction",
            "prediction_id": "ride-20260301-000017",
            "model": "arrival-minutes",
            "version": "14",
            "at": 1772353800.25,
            "prediction": 12.5,
        },
        {
            "type": "prediction",
            "prediction_id": "photo-88",
            "model": "document-kind",
            "version": "3",
            "at": 1772353800250,
            "prediction": "passport",
            "scores": {"passport": 0.9, "licence": 0.1},
        },
    ],
    "outcome": [
        {
            "type": "outcome",
            "prediction_id": "ride-20260301-000017",
            "model": "cancel-risk",
            "at": "2026-03-01T08:41:12+00:00",
            "outcome": False,
        }
    ],
    "rollout": [
        {
            "type": "rollout",
            "model": "cancel-risk",
            "version": "2026-03-01",
            "at": "2026-03-01T07:00:00Z",
            "stage": "canary",
            "trained_until": "2026-02-28T00:00:00Z",
            "traffic_share": 0.05,
        }
    ],
    "finding": [
        {
            "type": "finding",
            "id": "1a9400e7b856954b76d9be28",
            "state": "open",
            "severity": "page",
            "model": "cancel-risk",
            "version": "2026-02-20",
            "slice": "country=pt",
            "metric": "accuracy",
            "direction": "worse",
            "before": 0.91,
            "after": 0.55,
            "before_count": 812,
            "after_count": 96,
            "onset_at": 1772353800.0,
            "detected_at": 1772354100.0,
            "events_since_onset": 96,
            "before_lower": 0.888,
            "before_upper": 0.928,
            "after_lower": 0.451,
            "after_upper": 0.645,
            "onset_after": 1772353620.0,
            "onset_before": 1772353920.0,
            "episode": 1,
            "examples": ["ride-20260301-000017"],
            "causes": ["rollout of 2026-02-20 to live, 20 min before the onset"],
            "rollouts": [{"version": "2026-02-20", "stage": "live", "at": 1772352600.0}],
            "windows": [
                {"span_s": 300.0, "outcomes": 118, "wrong": 52},
                {"span_s": 1800.0, "outcomes": 702, "wrong": 102},
                {"span_s": 3600.0, "outcomes": 1410, "wrong": 166},
                {"span_s": 21600.0, "outcomes": 8213, "wrong": 781},
                {"span_s": 259200.0, "outcomes": 96120, "wrong": 8692},
            ],
            "closed_at": None,
            "proven_at": 1772354100.5,
            "summary": "cancel-risk version 2026-02-20 where country=pt: accuracy went from 0.91 to 0.55"
            " since 2026-03-01 08:30:00 UTC.",
        },
        {
            "type": "finding",
            "id": "cancel-risk/2026-02-20/driver_rating/1",
            "state": "open",
            "severity": "ticket",
            "model": "cancel-risk",
            "version": "2026-02-20",
            "slice": "all",
            "metric": "missing_rate",
            "direction": "changed",
            "before": 0.02,
            "after": 0.31,
            "before_count": 28_400,
            "after_count": 4_100,
            "onset_at": 1772353800.0,
            "detected_at": 1772440200.0,
            "events_since_onset": 4_100,
            "episode": 1,
            "summary": "cancel-risk version 2026-02-20, feature driver_rating: 0.31 of the values are missing.",
            "feature": "driver_rating",
        },
    ],
    "errors": [
        {
            "type": "errors",
            "model": "cancel-risk",
            "at": 1772355000.0,
            "proven_at": 1772355000.4,
            "windows": [
                {"span_s": 300.0, "outcomes": 121, "wrong": 56},
                {"span_s": 1800.0, "outcomes": 711, "wrong": 224},
                {"span_s": 3600.0, "outcomes": 1402, "wrong": 287},
                {"span_s": 21600.0, "outcomes": 8230, "wrong": 905},
                {"span_s": 259200.0, "outcomes": 96355, "wrong": 8836},
            ],
        }
    ],
}
