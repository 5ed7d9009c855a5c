"""Open MPI, from Debian's libopenmpi-dev, whatever other MPI is the system's default."""

load("//third_party:debian_library.bzl", "find_library", "third_party_only")

_PACKAGE = "libopenmpi-dev openmpi-bin"

# The library stands in srcs, not in linkopts, so that it comes before all linkopts in the link:
# SimGrid's library has MPI_* symbols of its own.
_BUILD = """# Generated: Open MPI.
cc_library(
    name = "mpi",
    srcs = ["lib/libmpi.so"],
    hdrs = glob(["include/**/*.h"]),
    includes = ["include"],
    visibility = ["{visibility}"],
)
"""

def _openmpi_impl(ctx):
    ctx.symlink(find_library(ctx, "openmpi/include/mpi.h", _PACKAGE).dirname, "include")
    ctx.symlink(find_library(ctx, "openmpi/lib/libmpi.so", _PACKAGE), "lib/libmpi.so")
    ctx.file("BUILD.bazel", _BUILD.format(visibility = third_party_only(ctx)))

openmpi = repository_rule(implementation = _openmpi_impl, local = True)
