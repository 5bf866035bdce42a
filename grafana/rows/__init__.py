"""The rows of the dashboard, one a file: what each panel shows, and its PromQL.

Figures of one series may come from two workers for one scrape while a partition moves, hence ``max by``.
Counters of a model are part of its state: after a crash they go on from the checkpoint, lower than they were,
which ``rate`` would take for a restart from 0; hence ``deriv``.
"""

UID = "tidewatch-fleet"
"""The dashboard's address, see the links."""
CHOSEN = 'model="$model",version=~"$version"'
"""The matchers of the model that the reader picked."""
SERIES = "model, version, slice"
"""The labels of one judged series."""
WORSENING = "model_version_slice:tidewatch_worsening:ratio"
"""Recorded: accuracy points lost, or growth of the mean absolute error, newest events against rollout."""
TO_MODEL = (
    f"/d/{UID}?${{datasource:queryparam}}&var-model=${{__data.fields.model:percentencode}}"
    "&var-version=${__data.fields.version:percentencode}&${__url_time_range}"
)
"""From a table's line to its model, in the chosen data source and time; Grafana would leave & # + as they are."""
