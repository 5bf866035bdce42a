"""How a Tidewatch panel looks: every panel has a title, a description, a unit and the chosen data source.

Thin functions over grafana-foundation-sdk's builders, so that the rows say only what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
"""Whatever the reader picked at the top of the page; no data source is named in the dashboard."""

GREEN, ORANGE, RED = "green", "orange", "red"
Panel = stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel


class Query(NamedTuple):
    """One PromQL expression and what its series are called in the legend."""

    expr: str
    legend: str = ""


class Column(NamedTuple):
    """One column of a table: the label or ``Value #A`` it comes from, its heading; its unit if a number."""

    field: str
    heading: str
    unit: str = ""


class Threshold(NamedTuple):
    """From ``value`` on, the number has ``colour``."""

    value: float
    colour: str


def figure(
    title: str, description: str, unit: str, expr: str, thresholds: Sequence[Threshold] = ()
) -> stat.Panel:
    """Return one big number with a sparkline, four of the 24 columns wide."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(DATASOURCE)
        .height(4)
        .span(4)
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_steps(thresholds))
    )
    return panel.with_target(_target(Query(expr, title), "A"))


def graph(
    title: str, description: str, unit: str, queries: Sequence[Query], span: int = 8
) -> timeseries.Panel:
    """Return lines over time; undefined values are gaps."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(DATASOURCE)
        .height(8)
        .span(span)
        .fill_opacity(0)
        .line_width(1)
        .span_nulls(False)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
    )
    for query, ref in zip(queries, "ABCDEFGH", strict=False):
        panel.with_target(_target(query, ref))
    return panel


def states(
    title: str, description: str, query: Query, words: Mapping[str, tuple[str, str]], span: int = 24
) -> statetimeline.Panel:
    """Return coloured bars over time; ``words`` maps each value to (word, colour)."""
    mapping = dashboard.ValueMap(
        options={
            value: dashboard.ValueMappingResult(text=word, color=colour, index=number)
            for number, (value, (word, colour)) in enumerate(words.items())
        }
    )
    panel = (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .unit("short")
        .datasource(DATASOURCE)
        .height(7)
        .span(span)
        .mappings([mapping])
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(80)
    )
    return panel.with_target(_target(query, "A"))


def listing(
    title: str, description: str, queries: Sequence[str], columns: Sequence[Column], link: str, span: int = 24
) -> table.Panel:
    """Return a table of instant queries joined on their labels, in the order of ``columns``.

    ``link`` is where a click on the first column leads; it may use ``${__data.fields.<heading>}``.
    """
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .unit("short")
        .datasource(DATASOURCE)
        .height(8)
        .span(span)
        .with_transformation(dashboard.DataTransformerConfig("merge", options={}))
        .with_transformation(dashboard.DataTransformerConfig("organize", options=_organize(columns)))
        .sort_by([common_builders.TableSortByFieldState().display_name(columns[-1].heading).desc(True)])
        .override_by_name(
            columns[0].heading, [dashboard.DynamicConfigValue("links", [{"title": "Show", "url": link}])]
        )
    )
    for expr, ref in zip(queries, "ABCDEFGH", strict=False):
        panel.with_target(_target(Query(expr), ref).instant().format(PromQueryFormat.TABLE))
    for column in columns:
        if column.unit:
            panel.override_by_name(column.heading, [dashboard.DynamicConfigValue("unit", column.unit)])
    return panel


def _target(query: Query, ref: str) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(DATASOURCE)
    return made.legend_format(query.legend) if query.legend else made


def _steps(thresholds: Sequence[Threshold]) -> dashboard_builders.ThresholdsConfig:
    steps = [dashboard.Threshold(value=None, color=GREEN)]
    steps += [dashboard.Threshold(value=one.value, color=one.colour) for one in thresholds]
    return dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def _organize(columns: Sequence[Column]) -> dict[str, object]:
    return {
        "excludeByName": {"Time": True},
        "indexByName": {column.field: number for number, column in enumerate(columns)},
        "renameByName": {column.field: column.heading for column in columns},
    }
