"""The plug-ins of this folder; written by `./bazelw run //tools:update_plugins`."""

BACKEND_PLUGINS = [
    "//comm/mpi",
    "//comm/nccl",
    "//comm/sim",
    "//comm/threads",
]
