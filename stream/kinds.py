"""Core. Of what kind predictions and outcomes are, as bits of what is known of an id, and which can be compared.

A text is compared with a text, a number without scores with a number, any other class with a number or bool.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Final

from stream.events import Outcome, Prediction

PREDICTED: Final = 1
HAPPENED: Final = 2
VALUE: Final = 8
"""What a regression says; all else is a class."""
_SAID: Final = {4: "text", VALUE: "a number without scores", 16: "true, false or a number with scores"}
_KNOWN: Final = {32: "text", 64: "a number", 128: "true or false"}
HAPPENED_KINDS: Final = sum(_KNOWN)
_ALIKE: Final = {4 | 32, VALUE | 64, 16 | 64, 16 | 128}


def kinds_of(event: Prediction | Outcome) -> int:
    """Return the bits of an event: that it is one, and of what kind it is."""
    if isinstance(event, Outcome):
        label = event.outcome
        return HAPPENED | (32 if isinstance(label, str) else 128 if isinstance(label, bool) else 64)
    said = event.prediction
    is_class = isinstance(said, bool) or event.scores is not None
    return PREDICTED | (4 if isinstance(said, str) else 16 if is_class else VALUE)


@lru_cache
def mismatches(known: int) -> tuple[str, ...]:
    """Say which kinds among these bits can't be compared; nothing while there is no pair."""
    return tuple(
        f"its prediction is {_SAID[said]}, its outcome {_KNOWN[happened]}"
        for said, happened in product(_SAID, _KNOWN)
        if known & said and known & happened and said | happened not in _ALIKE
    )
