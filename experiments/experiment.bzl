"""starling_experiment and starling_sweep: runnable binaries that link just the plug-ins they need.

    load("//experiments:experiment.bzl", "starling_experiment")   # elsewhere: @starling//experiments:...

    starling_experiment(
        name = "my_experiment",
        config = "my_experiment.textproto",
        plugins = DEFAULT_PLUGINS + ["//my/algorithm"],
    )

`bazel run :my_experiment` trains the config; `bazel run :my_experiment -- --set train.epochs=1` a
variant of it; every verb of `starling` works too. starling_sweep takes the definition of a sweep
instead, which `bazel run` runs.
"""

load("//comm:plugins.bzl", "BACKEND_PLUGINS")
load("//core/run:plugins.bzl", "METRIC_SINK_PLUGINS")
load("//data:plugins.bzl", "DATASET_PLUGINS", "PARTITION_PLUGINS")
load("//experiments/sweep:plugins.bzl", "LAUNCHER_PLUGINS")
load("//models:plugins.bzl", "MODEL_PLUGINS")
load("//optim:plugins.bzl", "ALGORITHM_PLUGINS", "OPTIMIZER_PLUGINS", "SCHEDULE_PLUGINS")
load("//topology:plugins.bzl", "TOPOLOGY_PLUGINS")

# Labels are spelt so that they mean this repository in any workspace.
def _starling(label):
    return str(Label(label))

# Everything that Starling has.
DEFAULT_PLUGINS = [_starling(label) for label in (
    ALGORITHM_PLUGINS +
    BACKEND_PLUGINS +
    DATASET_PLUGINS +
    LAUNCHER_PLUGINS +
    METRIC_SINK_PLUGINS +
    MODEL_PLUGINS +
    OPTIMIZER_PLUGINS +
    PARTITION_PLUGINS +
    SCHEDULE_PLUGINS +
    TOPOLOGY_PLUGINS
)]

def starling_sweep(name, config, plugins = DEFAULT_PLUGINS, **kwargs):
    """Makes the binary `name`, which runs a sweep when started without a verb.

    Args:
      name: of the target.
      config: a .textproto with the sweep; its base stands in it (`base`, not `base_file`).
      plugins: as for starling_experiment.
      **kwargs: passed on to cc_binary.
    """
    _starling_binary(name, plugins, config, True, kwargs)

def starling_experiment(name, plugins = DEFAULT_PLUGINS, config = None, **kwargs):
    """Makes the binary `name`.

    Args:
      name: of the target.
      plugins: labels of the plug-ins to link; DEFAULT_PLUGINS are all of Starling's own.
      config: a .textproto that becomes part of the binary, which trains it when started without
        a verb. Without one the binary needs a verb, as `starling train --config=FILE`.
      **kwargs: passed on to cc_binary.
    """
    _starling_binary(name, plugins, config, False, kwargs)

def _starling_binary(name, plugins, config, is_sweep, kwargs):
    file = config or ""
    contents = "cat $(SRCS);" if config else "true;"
    native.genrule(
        name = name + "_config_cc",
        srcs = [config] if config else [],
        outs = [name + "_config.cc"],
        cmd = "\n".join([
            "{",
            "echo '#include \"experiments/built_in_config.h\"';",
            "echo 'namespace starling {';",
            "printf 'BuiltInConfig GetBuiltInConfig() { return {\"%s\", R\"STARLING(';" % file,
            contents,
            "echo ')STARLING\", %s}; }';" % ("true" if is_sweep else "false"),
            "echo '}  // namespace starling';",
            "} > $@",
        ]),
    )
    native.cc_library(
        name = name + "_config",
        srcs = [name + "_config.cc"],
        deps = [_starling("//experiments:built_in_config")],
        alwayslink = True,
    )
    native.cc_binary(
        name = name,
        stamp = 1,  # for a run's record
        deps = [
            ":" + name + "_config",
            _starling("//experiments:main"),
        ] + plugins,
        **kwargs
    )
