"""The plug-ins of this folder; written by `./bazelw run //tools:update_plugins`."""

MODEL_PLUGINS = [
    "//models/convnet",
    "//models/logistic_regression",
    "//models/mlp",
    "//models/paced",
    "//models/quadratic",
    "//models/torchscript",
]
