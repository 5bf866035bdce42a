"""The dashboard "Tidewatch: fleet": its rows, its variables, and what it marks on the time axis."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from grafana.panels import DATASOURCE
from grafana.rows import CHOSEN, UID, fleet, model, pipeline, windows

KNOWN = "tidewatch_model_newest_event_timestamp_seconds"
"""The metric that every model, version and slice has."""


def build() -> models.Dashboard:
    """Return the whole dashboard in Grafana's classic (v1) form, which nobody can edit in the browser."""
    made = (
        builders.Dashboard("Tidewatch: fleet")
        .uid(UID)
        .description("Which models got worse, where, since when; and whether Tidewatch itself keeps up.")
        .tags(["tidewatch"])
        .readonly()
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("10s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables([_datasource(), _model(), _version()])
        .annotations([_degraded(), _watchers()])
    )
    rows = (("Fleet", fleet), ("Model: $model", model), ("Windows: $model", windows), ("Pipeline", pipeline))
    for title, row in rows:
        made.with_row(builders.Row(title))
        for panel in row.panels():
            made.with_panel(panel)
    return _numbered(made.build())


def _numbered(dashboard: models.Dashboard) -> models.Dashboard:
    for number, panel in enumerate(dashboard.panels or (), start=1):
        panel.id_val = number  # the links to single panels hold from one generation to the next
    return dashboard


def _datasource() -> builders.DatasourceVariable:
    return builders.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _model() -> builders.QueryVariable:
    # Grafana's list ends at 1,000 values: another name can be typed in, and the table above links to it.
    return _label("model", "Model", f"label_values({KNOWN}, model)").allow_custom_value(True)


def _version() -> builders.QueryVariable:
    query = f'label_values({KNOWN}{{model="$model"}}, version)'
    return _label("version", "Version", query).multi(True).include_all(True).all_value(".*")


def _label(name: str, label: str, query: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .definition(query)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def _degraded() -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name("Degraded")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("red")
        .expr(f"max by (model, version, slice) (tidewatch_model_degraded{{{CHOSEN}}}) == 1")
        .title_format("{{model}} {{version}} is degraded")
        .text_format("slice {{slice}}")
        .tag_keys("slice")
    )


def _watchers() -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name("Tidewatch itself")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("orange")
        .expr('ALERTS{alertname=~"Tidewatch.+",alertstate="firing"}')
        .title_format("{{alertname}}")
        .text_format("{{job}} {{topic}} {{receiver}}")
        .tag_keys("severity")
    )
