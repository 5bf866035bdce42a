"""The rows of the dashboard, one a file: what each panel shows, and its PromQL.

Gauges of one series may come from two workers for one scrape while a partition moves, hence ``max by``;
counters of a model restart on its new worker with their old value, which ``rate`` doesn't count.
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
    f"/d/{UID}?${{datasource:queryparam}}&var-model=${{__data.fields.model}}"
    "&var-version=${__data.fields.version}&${__url_time_range}"
)
"""From a table's line to its model, in the chosen data source and time."""
