"""The plug-ins of this folder; written by `./bazelw run //tools:update_plugins`."""

TOPOLOGY_PLUGINS = [
    "//topology/alternating_exp_ring",
    "//topology/base_graph",
    "//topology/complete",
    "//topology/exponential",
    "//topology/from_file",
    "//topology/hypercube",
    "//topology/one_peer_exp",
    "//topology/one_peer_ring",
    "//topology/ring",
    "//topology/star",
    "//topology/torus",
]
