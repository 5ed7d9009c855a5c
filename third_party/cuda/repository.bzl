"""The CUDA toolkit with NCCL, where one is installed: the folder that CUDA_HOME names, or /usr/local/cuda.

Without one the repository is empty, so that everything loads, and nothing that needs CUDA is built.
"""

load("//third_party:debian_library.bzl", "third_party_only")

_BUILD = """# Generated: the CUDA toolkit of {home}.
{first_line}
package(default_visibility = ["{visibility}"])

cc_library(
    name = "cudart",
    srcs = ["lib64/libcudart_static.a"],
    # Not the C++ library (cccl), which is thousands of files.
    hdrs = glob([
        "include/*.h",
        "include/*.hpp",
        "include/crt/**",
    ]),
    includes = ["include"],
    linkopts = ["-ldl", "-lrt", "-lpthread"],
)

{nccl}
"""

_NCCL = """cc_library(
    name = "nccl",
    hdrs = ["nccl/nccl.h"],
    includes = ["nccl"],
    linkopts = [
        "{library}",
        "-Wl,-rpath,{folder}",
    ],
    deps = [":cudart"],
)
"""

_NO_NCCL = """missing(
    name = "nccl",
    message = "--config=cuda needs NCCL 2.19 or later, for backend nccl: there is no nccl.h with " +
              "libnccl.so.2 in {home}, nor in /usr; install libnccl-dev, or unpack NCCL there",
)
"""

_EMPTY = """# Generated: there is no CUDA toolkit.
cc_library(
    name = "cudart",
    visibility = ["{visibility}"],
)

cc_library(
    name = "nccl",
    visibility = ["{visibility}"],
)
"""

# Who needs it fails with `message`.
_MISSING = """def _missing_impl(ctx):
    fail(ctx.attr.message)

missing = rule(
    implementation = _missing_impl,
    attrs = {"message": attr.string(mandatory = True)},
)
"""

def _nccl(ctx, home):
    """Returns the target, of NCCL in the toolkit or as the distribution's packages install it."""
    for include, lib in [
        (home + "/include", home + "/lib64"),
        ("/usr/include", "/usr/lib/x86_64-linux-gnu"),
        ("/usr/include", "/usr/lib64"),
    ]:
        header, library = include + "/nccl.h", lib + "/libnccl.so.2"
        if ctx.path(header).exists and ctx.path(library).exists:
            ctx.symlink(header, "nccl/nccl.h")
            return _NCCL.format(folder = lib, library = library)
    return _NO_NCCL.format(home = home)

def _cuda_toolkit_impl(ctx):
    home = ctx.os.environ.get("CUDA_HOME", "") or "/usr/local/cuda"
    found = ctx.path(home + "/bin/nvcc").exists
    if found:
        ctx.symlink(home + "/include", "include")
        ctx.symlink(home + "/lib64/libcudart_static.a", "lib64/libcudart_static.a")
    ctx.file("BUILD.bazel", (_BUILD if found else _EMPTY).format(
        home = home,
        first_line = "load(\":missing.bzl\", \"missing\")",
        nccl = _nccl(ctx, home) if found else "",
        visibility = third_party_only(ctx),
    ))
    ctx.file("missing.bzl", _MISSING)
    ctx.file("toolkit.bzl", "HOME = %r\nNVCC = %r\n" % (home, home + "/bin/nvcc" if found else ""))

cuda_toolkit = repository_rule(
    implementation = _cuda_toolkit_impl,
    environ = ["CUDA_HOME"],
    local = True,
)
