"""The plug-ins of this folder; written by `./bazelw run //tools:update_plugins`."""

MODEL_PLUGINS = [
    "//models/convnet",
    "//models/gpt2",
    "//models/logistic_regression",
    "//models/lstm",
    "//models/mlp",
    "//models/paced",
    "//models/quadratic",
    "//models/resnet",
    "//models/torchscript",
    "//models/transformer",
]
