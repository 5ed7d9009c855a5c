"""The plug-ins of this folder; written by `./bazelw run //tools:update_plugins`."""

METRIC_SINK_PLUGINS = [
    "//core/run/sinks/csv",
    "//core/run/sinks/jsonl",
    "//core/run/sinks/tensorboard",
]
