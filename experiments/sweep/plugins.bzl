"""The plug-ins of this folder; written by `./bazelw run //tools:update_plugins`."""

LAUNCHER_PLUGINS = [
    "//experiments/sweep/launchers/local",
    "//experiments/sweep/launchers/mpirun",
    "//experiments/sweep/launchers/slurm",
]
