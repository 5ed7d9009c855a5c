"""The plug-ins of this folder; written by `./bazelw run //tools:update_plugins`."""

DATASET_PLUGINS = [
    "//data/cifar10",
    "//data/fashion_mnist",
    "//data/imagefolder",
    "//data/no_data",
    "//data/synthetic_classification",
    "//data/tensor_file",
    "//data/text",
    "//data/tokens",
    "//data/translation",
]

PARTITION_PLUGINS = [
    "//data/dirichlet",
    "//data/iid",
    "//data/shards",
]
