"""Core. What a model said, as inputs of their own: its answer, and how sure it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from stream.events import Label, Prediction
from stream.figures.sums import name_in

SCORE, PREDICTION = "@score", "@prediction"
"""What the model said is watched like a feature: a lone score, else the answer (a class is a word), and of scores
by class that of the answer as well."""

SAID = {SCORE: "the score", PREDICTION: "the prediction"}

Value = float | bool | str | None


class Watched(Protocol):
    """What is counted of an input: its words, if it has any."""

    words: Mapping[str, int]


def score_of(said: Label, scores: Mapping[str, float]) -> float:
    """Return the score of the class that was said; of one that was given none, what the others leave."""
    score = scores.get(name_in(scores, said))
    return max(1.0 - sum(scores.values()), 0.0) if score is None else score


def spoken(prediction: Prediction, watched: Mapping[str, Watched]) -> tuple[tuple[str, Value], ...]:
    """Return as which inputs what the model said counts, and their values; ``watched`` are its inputs so far."""
    scores, said = prediction.scores, prediction.prediction
    if isinstance(scores, float):
        return ((SCORE, scores),)
    if scores is None:
        return ((PREDICTION, as_input(said, watched.get(PREDICTION))),)
    return (PREDICTION, str(said)), (SCORE, score_of(said, scores))


def as_input(said: Label, known: Watched | None) -> float | str:
    """Return what an answer without scores counts as: the number, or the word.

    Whole numbers were words in older releases, and still are where an input was ``known`` as such.
    """
    if type(said) is float or (type(said) is int and (known is None or not known.words)):
        return float(said)
    return str(said)
