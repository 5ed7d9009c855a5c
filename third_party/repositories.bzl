"""Everything that Starling takes from outside, for its own WORKSPACE and for those that use it."""

load("//third_party:debian_library.bzl", "debian_library")
load("//third_party/absl:repository.bzl", "debian_absl")
load("//third_party/bazel:stubs.bzl", "bazel_stubs")
load("//third_party/chartjs:repository.bzl", "chartjs")
load("//third_party/cuda:repository.bzl", "cuda_toolkit")
load("//third_party/mpi:repository.bzl", "openmpi")
load("//third_party/torch:repository.bzl", "libtorch")

def starling_repositories():
    bazel_stubs()
    native.register_toolchains(str(Label("//third_party/bazel/python:toolchain")))

    chartjs(name = "chartjs")
    cuda_toolkit(name = "cuda")
    debian_absl(name = "com_google_absl")
    libtorch(name = "libtorch")
    openmpi(name = "openmpi")
    debian_library(
        name = "com_google_protobuf",
        build_file = Label("//third_party/protobuf:com_google_protobuf.BUILD"),
        headers = ["google/protobuf"],
        libraries = ["libprotobuf.so"],
        package = "libprotobuf-dev protobuf-compiler",
        programs = ["protoc"],
    )
    debian_library(
        name = "debian_benchmark",
        headers = ["benchmark"],
        libraries = ["libbenchmark.so"],
        package = "libbenchmark-dev",
    )
    debian_library(
        name = "debian_boost",
        # All of Boost are 14,000 files to look after in every compilation that can see it. What
        # Boost.Math includes of the rest is found in the compiler's own search path.
        headers = ["boost/math", "boost/version.hpp"],
        package = "libboost-dev",
    )
    debian_library(
        name = "debian_gflags",
        headers = ["gflags"],
        libraries = ["libgflags.so"],
        package = "libgflags-dev",
    )
    debian_library(
        name = "debian_glog",
        headers = ["glog"],
        libraries = ["libglog.so"],
        package = "libgoogle-glog-dev",
    )
    debian_library(
        name = "debian_gtest",
        headers = ["gmock", "gtest"],
        libraries = ["libgmock.a", "libgmock_main.a", "libgtest.a"],
        package = "libgtest-dev libgmock-dev",
    )
    debian_library(
        name = "debian_hwy",
        headers = ["hwy"],
        libraries = ["libhwy.so"],
        package = "libhwy-dev",
    )
    debian_library(
        name = "debian_jpeg",
        headers = ["jconfig.h", "jerror.h", "jmorecfg.h", "jpeglib.h"],
        libraries = ["libjpeg.so"],
        package = "libjpeg62-turbo-dev",
    )
    debian_library(
        name = "debian_nlohmann_json",
        headers = ["nlohmann"],
        package = "nlohmann-json3-dev",
    )
    debian_library(
        name = "debian_nlopt",
        headers = ["nlopt.h"],
        libraries = ["libnlopt.so"],
        package = "libnlopt-dev",
    )
    debian_library(
        name = "debian_png",
        headers = ["png.h", "pngconf.h", "pnglibconf.h"],
        libraries = ["libpng16.so"],
        package = "libpng-dev",
    )
    debian_library(
        name = "debian_simgrid",
        headers = ["simgrid", "xbt", "xbt.h", "boost"],
        libraries = ["libsimgrid.so"],
        package = "libsimgrid-dev",
    )
    debian_library(
        name = "debian_zip",
        headers = ["zip.h", "zipconf.h"],
        libraries = ["libzip.so"],
        package = "libzip-dev",
    )
    debian_library(
        name = "debian_zlib",
        headers = ["zlib.h", "zconf.h"],
        libraries = ["libz.so"],
        package = "zlib1g-dev",
    )
