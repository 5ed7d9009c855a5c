"""The CUDA toolkit with NCCL, where one is installed: the folder that CUDA_HOME names, or /usr/local/cuda.

Without one the repository is empty, so that everything loads, and nothing that needs CUDA is built.
"""

load("//third_party:debian_library.bzl", "third_party_only")

_BUILD = """# Generated: the CUDA toolkit of {home}.
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
"""

_EMPTY = """# Generated: there is no CUDA toolkit.
cc_library(
    name = "cudart",
    visibility = ["{visibility}"],
)
"""

def _cuda_toolkit_impl(ctx):
    home = ctx.os.environ.get("CUDA_HOME", "") or "/usr/local/cuda"
    found = ctx.path(home + "/bin/nvcc").exists
    if found:
        ctx.symlink(home + "/include", "include")
        ctx.symlink(home + "/lib64/libcudart_static.a", "lib64/libcudart_static.a")
    template = _BUILD if found else _EMPTY
    ctx.file("BUILD.bazel", template.format(home = home, visibility = third_party_only(ctx)))
    ctx.file("toolkit.bzl", "HOME = %r\nNVCC = %r\n" % (home, home + "/bin/nvcc" if found else ""))

cuda_toolkit = repository_rule(
    implementation = _cuda_toolkit_impl,
    environ = ["CUDA_HOME"],
    local = True,
)
