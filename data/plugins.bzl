"""The plug-ins of this folder; written by `./bazelw run //tools:update_plugins`."""

DATASET_PLUGINS = [
    "//data/fashion_mnist",
    "//data/no_data",
    "//data/synthetic_classification",
    "//data/tensor_file",
]

PARTITION_PLUGINS = [
    "//data/dirichlet",
    "//data/iid",
    "//data/shards",
]
