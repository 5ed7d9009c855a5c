"""Stand-ins for three repositories that Bazel would otherwise download.

Bazel's generated C++ toolchain loads @rules_cc, its registered Java toolchains load @rules_java
even in a C++ build, and every cc_test depends on a target of @remote_coverage_tools. All that we
need from them is built into Bazel under the name `native`.
"""

def _stub_repository_impl(ctx):
    ctx.file("WORKSPACE")
    ctx.file("BUILD", ctx.attr.build)
    if ctx.attr.rules:
        package, _, _ = ctx.attr.bzl.rpartition("/")
        ctx.file(package + "/BUILD")
        ctx.file(ctx.attr.bzl, "".join(["{0} = native.{0}\n".format(r) for r in ctx.attr.rules]))

_stub_repository = repository_rule(
    implementation = _stub_repository_impl,
    attrs = {
        "build": attr.string(doc = "Text of the top BUILD file."),
        "bzl": attr.string(doc = "Path of the .bzl file that defines `rules`."),
        "rules": attr.string_list(doc = "Native rules to re-export."),
    },
)

def bazel_stubs():
    _stub_repository(
        name = "rules_cc",
        bzl = "cc/defs.bzl",
        rules = [
            "cc_binary",
            "cc_import",
            "cc_library",
            "cc_proto_library",
            "cc_test",
            "cc_toolchain",
            "cc_toolchain_suite",
            "objc_library",
        ],
    )
    _stub_repository(
        name = "rules_java",
        bzl = "java/defs.bzl",
        rules = [
            "java_binary",
            "java_import",
            "java_library",
            "java_runtime",
            "java_test",
            "java_toolchain",
        ],
    )
    _stub_repository(
        name = "remote_coverage_tools",
        build = """filegroup(
    name = "coverage_report_generator",
    visibility = ["//visibility:public"],
)
""",
    )
