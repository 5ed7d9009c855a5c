"""Chart.js, from Debian's libjs-chart.js: one script for browsers, and its licence."""

load("//third_party:debian_library.bzl", "find_file", "third_party_only")

_PACKAGE = "libjs-chart.js"

_BUILD = """# Generated: Chart.js.
exports_files(
    ["chart.min.js", "copyright"],
    visibility = ["{visibility}"],
)
"""

def _chartjs_impl(ctx):
    ctx.symlink(find_file(ctx, ["/usr/share/javascript/chart.js"], "chart.min.js", _PACKAGE), "chart.min.js")
    ctx.symlink(find_file(ctx, ["/usr/share/doc/libjs-chart.js"], "copyright", _PACKAGE), "copyright")
    ctx.file("BUILD.bazel", _BUILD.format(visibility = third_party_only(ctx)))

chartjs = repository_rule(implementation = _chartjs_impl, local = True)
