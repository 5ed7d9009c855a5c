"""Abseil from Debian: one cc_library per absl_*.pc file, linked statically."""

load("//third_party:debian_library.bzl", "find_header", "find_library", "third_party_only")

_PACKAGE = "libabsl-dev"

_HEAD = """# Generated from the absl_*.pc files of {package}.
package(default_visibility = ["{visibility}"])

cc_library(
    name = "headers",
    hdrs = glob(["include/**"]),
    includes = ["include"],
    linkopts = ["-lpthread"],
)
"""

_TARGET = """
cc_library(
    name = "{name}",
    srcs = {srcs},
    deps = {deps},
)
"""

def _field(text, key):
    """Returns the value of the line `key: value` of a .pc file, or ''."""
    for line in text.split("\n"):
        if line.startswith(key + ":"):
            return line[len(key) + 1:].strip()
    return ""

def _debian_absl_impl(ctx):
    ctx.symlink(find_header(ctx, "absl", _PACKAGE), "include/absl")
    pkgconfig = find_library(ctx, "pkgconfig", _PACKAGE)
    targets = []
    for path in sorted([str(p) for p in pkgconfig.readdir() if p.basename.startswith("absl_")]):
        text = ctx.read(path)

        # "Requires: absl_base = 20220623, absl_bits = 20220623"
        required = [r.strip().partition(" ")[0] for r in _field(text, "Requires").split(",")]
        libraries = ["lib%s.a" % word[2:] for word in _field(text, "Libs").split(" ") if word.startswith("-labsl_")]
        for library in libraries:
            ctx.symlink(find_library(ctx, library, _PACKAGE), "lib/" + library)
        targets.append(_TARGET.format(
            name = _field(text, "Name")[len("absl_"):],
            srcs = ["lib/" + library for library in libraries],
            deps = [":headers"] + [":" + r[len("absl_"):] for r in required if r],
        ))
    head = _HEAD.format(package = _PACKAGE, visibility = third_party_only(ctx))
    ctx.file("BUILD.bazel", head + "".join(targets))

debian_absl = repository_rule(implementation = _debian_absl_impl, local = True)
