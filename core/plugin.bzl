"""plugin_library: one plug-in, its config message and its test, in one rule.

    load("//core:plugin.bzl", "plugin_library")            # in another workspace: @starling//core:...

    plugin_library(
        name = "choco",
        srcs = ["choco.cc"],
        interface = "//optim:algorithm",
        proto = "choco.proto",
        test_deps = ["//optim:algorithm_conformance"],
    )

makes :choco, :choco_proto, :choco_cc_proto and :choco_test (from choco_test.cc).
"""

load("//third_party/cuda:cuda_library.bzl", "cuda_library", "with_cuda")
load("//third_party/torch:torch.bzl", "TORCH_COPTS")

def _starling(label):
    """Returns `label` of this repository, spelt so that it works in any workspace."""
    return str(Label(label))

def plugin_library(
        name,
        interface,
        srcs,
        proto = None,
        proto_deps = [],
        hdrs = [],
        deps = [],
        test_deps = [],
        test_main = None,
        cuda_srcs = [],
        tags = [],
        **kwargs):
    """Declares the plug-in `name`.

    Args:
      name: the registered name, which is also the folder's.
      interface: the cc_library with the interface that it implements.
      srcs: its .cc files; one of them registers it.
      proto: the .proto file with its config message; may import core/config/options.proto,
        core/config/plugin_ref.proto and google/protobuf/any.proto.
      proto_deps: proto_libraries of what else it imports.
      hdrs: headers for its own test. No other plug-in may include them.
      deps: what else the sources include.
      test_deps: what <name>_test.cc includes besides.
      test_main: replaces GoogleTest's main, for tests that must prepare the process first.
      cuda_srcs: .cu files with its kernels for the device, which --config=cuda adds. They see the
        headers among `srcs`.
      tags: for the library and the test. "torch": they include LibTorch's headers, are compiled as
        these want it, and are left out under sanitizers.
      **kwargs: passed on to cc_library.
    """
    protos = []
    if proto:
        native.proto_library(
            name = name + "_proto",
            srcs = [proto],
            tags = tags,
            visibility = ["//visibility:public"],
            deps = [
                _starling("//core/config:options_proto"),
                _starling("//core/config:plugin_ref_proto"),
                _starling("//third_party/protobuf:any_proto"),
            ] + proto_deps,
        )
        native.cc_proto_library(
            name = name + "_cc_proto",
            tags = tags,
            visibility = ["//visibility:public"],
            deps = [":" + name + "_proto"],
        )
        protos = [":" + name + "_cc_proto"]

    cuda = []
    if cuda_srcs:
        cuda_library(
            name = name + "_cuda",
            srcs = cuda_srcs,
            hdrs = [source for source in srcs if source.endswith(".h")],
            alwayslink = True,
            tags = tags,
            visibility = ["//visibility:public"],
            deps = deps + [_starling("//core/device/cuda:launch")],
        )
        cuda = with_cuda([":" + name + "_cuda"])

    copts = TORCH_COPTS if "torch" in tags else []
    native.cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = copts,
        # Nobody refers to a plug-in by symbol; without this the linker would drop it silently.
        alwayslink = True,
        # bazel query 'attr(tags, starling_plugin, //...)' lists all plug-ins.
        tags = tags + ["starling_plugin"],
        visibility = ["//visibility:public"],
        deps = [interface, _starling("//core:registry")] + protos + deps + cuda,
        **kwargs
    )
    native.cc_test(
        name = name + "_test",
        size = "small",
        srcs = [name + "_test.cc"],
        copts = copts,
        tags = tags,
        deps = [":" + name] + test_deps + [test_main or _starling("//third_party/gtest:gtest_main")],
    )
