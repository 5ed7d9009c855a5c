"""The plug-ins of this folder; written by `./bazelw run //tools:update_plugins`."""

ALGORITHM_PLUGINS = [
    "//optim/allreduce",
    "//optim/d2",
    "//optim/gossip",
    "//optim/gradient_tracking",
    "//optim/local_sgd",
    "//optim/qg_dsgdm",
    "//optim/sgp",
    "//optim/slowmo",
]

OPTIMIZER_PLUGINS = [
    "//optim/accum_adam",
    "//optim/adam",
    "//optim/sgd",
]

SCHEDULE_PLUGINS = [
    "//optim/constant",
    "//optim/cosine",
    "//optim/inverse_sqrt",
    "//optim/step",
]
