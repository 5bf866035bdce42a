"""What the worker makes of its settings."""

from prometheus_client import CollectorRegistry

from stream.app import rules_of
from stream.settings import Settings, WorkerSettings
from stream.telemetry import Telemetry


def test_the_bound_of_models_is_what_the_fold_keeps_to():
    assert rules_of(Settings(worker=WorkerSettings(model_budget=7))).model_budget == 7


def test_the_bound_of_models_is_shown_beside_their_number():
    registry = CollectorRegistry()
    Telemetry(registry, 7)
    assert registry.get_sample_value("tidewatch_model_budget") == 7
