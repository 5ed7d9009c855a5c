"""LibTorch: Debian's libtorch-dev, or the installation that LIBTORCH_HOME names.

LIBTORCH_HOME is a folder with include/ and lib/: an unpacked libtorch archive, or the `torch`
folder of a pip installation.
"""

load("//third_party:debian_library.bzl", "find_header", "find_library", "third_party_only")

_PACKAGE = "libtorch-dev"

_BUILD = """# Generated: LibTorch of {home}.
load("{bool_flag}", "bool_flag")

package(default_visibility = ["{visibility}"])

# What this LibTorch is, for BUILD files to select on.
bool_flag(
    name = "is_cxx20",
    build_setting_default = {is_cxx20},
)

bool_flag(
    name = "has_cuda",
    build_setting_default = {has_cuda},
)

cc_library(
    name = "torch",
    # Each declared header costs every compile that sees it 0.2 ms, and there are 8,000; these 2,700
    # are for those who write kernels for LibTorch.
    hdrs = glob(["include/**"], exclude = ["**/*.cuh", "**/*_dispatch.h"]),
    includes = [
        "include",
        "include/torch/csrc/api/include",
    ],
    linkopts = {linkopts},
)

# Empty without the CUDA half.
cc_library(
    name = "torch_cuda",
    linkopts = {cuda_linkopts},
    deps = [":torch"],
)
"""

def _libtorch_impl(ctx):
    home = ctx.os.environ.get("LIBTORCH_HOME", "")
    linkopts = ["-ltorch", "-ltorch_cpu", "-lc10"]
    if home:
        # The old C++ ABI (wheels before 2.6) has another std::string than our other libraries.
        c10 = ctx.path(home + "/lib/libc10.so")
        if not c10.exists:
            fail("LIBTORCH_HOME=%s has no lib/libc10.so; name the folder that holds include/ and lib/" % home)
        if ctx.execute(["grep", "-q", "_ZN3c105Error.*__cxx11", str(c10)]).return_code != 0:
            fail("LIBTORCH_HOME=%s was built with the old C++ ABI; " % home +
                 "take a build with the cxx11 ABI (pip: torch 2.6 or newer)")
        for entry in ctx.path(home + "/include").readdir():
            if entry.basename in ["ATen", "c10", "caffe2", "torch"]:
                ctx.symlink(entry, "include/" + entry.basename)
        linkopts = ["-L%s/lib" % home, "-Wl,-rpath,%s/lib" % home, "-Wl,--allow-shlib-undefined"] + linkopts
    else:
        for name in ["ATen", "c10", "caffe2", "torch"]:
            ctx.symlink(find_header(ctx, name, _PACKAGE), "include/" + name)
        find_library(ctx, "libtorch.so", _PACKAGE)

    # It refuses to be included with less.
    is_cxx20 = ctx.execute(["grep", "-q", "__cplusplus < 202002L", "include/ATen/ATen.h"]).return_code == 0
    has_cuda = (ctx.path(home + "/lib/libtorch_cuda.so").exists and
                ctx.path("include/c10/cuda/CUDAGuard.h").exists)
    ctx.file("BUILD.bazel", _BUILD.format(
        home = home or "Debian",
        bool_flag = "@%s//third_party/cuda:enable.bzl" % Label("//third_party/torch:BUILD").workspace_name,
        is_cxx20 = is_cxx20,
        has_cuda = has_cuda,
        linkopts = repr(linkopts),
        cuda_linkopts = repr(["-ltorch_cuda", "-lc10_cuda"] if has_cuda else []),
        visibility = third_party_only(ctx),
    ))

libtorch = repository_rule(
    implementation = _libtorch_impl,
    environ = ["LIBTORCH_HOME"],
    local = True,
)
