"""Repository rules that wrap libraries installed by Debian packages.

Each makes a directory of symbolic links that holds one library's headers and nothing else. Naming
/usr/include itself would put it before libstdc++'s own folders and break <stdlib.h>.
"""

# Debian keeps libraries and some headers in a folder per architecture.
_ARCHITECTURES = ["x86_64-linux-gnu", "aarch64-linux-gnu"]

def find_file(ctx, parents, name, package):
    """Returns the path of `name` in the first of `parents` that has it; fails with what to do."""
    for parent in parents:
        path = ctx.path(parent + "/" + name)
        if path.exists:
            return path
    fail("@%s: %s is missing in %s; install it with: apt-get install %s" % (
        ctx.name,
        name,
        " and ".join(parents),
        package,
    ))

def find_header(ctx, name, package):
    parents = ["/usr/include"] + ["/usr/include/" + a for a in _ARCHITECTURES]
    return find_file(ctx, [p for p in parents if ctx.path(p).exists], name, package)

def find_library(ctx, name, package):
    parents = ["/usr/lib/" + a for a in _ARCHITECTURES] + ["/usr/lib"]
    return find_file(ctx, [p for p in parents if ctx.path(p).exists], name, package)

def third_party_only(ctx):
    """Returns the visibility that sends all use of a repository through //third_party."""
    return "@%s//third_party:__subpackages__" % Label("//third_party:BUILD").workspace_name

_BUILD = """# Generated: what the Debian package {package} installs.
package(default_visibility = ["{visibility}"])

cc_library(
    name = "headers",
    hdrs = glob(["include/**"]),
    includes = ["include"],
)

exports_files(glob(["bin/*", "lib/*"], allow_empty = True))
"""

def _debian_library_impl(ctx):
    package = ctx.attr.package
    for name in ctx.attr.headers:
        ctx.symlink(find_header(ctx, name, package), "include/" + name)
    for name in ctx.attr.libraries:
        ctx.symlink(find_library(ctx, name, package), "lib/" + name)
    for name in ctx.attr.programs:
        ctx.symlink(find_file(ctx, ["/usr/bin"], name, package), "bin/" + name)
    if ctx.attr.build_file:
        ctx.symlink(ctx.attr.build_file, "BUILD.bazel")
    else:
        ctx.file("BUILD.bazel", _BUILD.format(package = package, visibility = third_party_only(ctx)))

# Offers :headers, and the files of lib/ and bin/, to the packages of //third_party.
debian_library = repository_rule(
    implementation = _debian_library_impl,
    local = True,  # Looks again whenever the Bazel server starts.
    attrs = {
        "build_file": attr.label(doc = "Replaces the generated BUILD file."),
        "headers": attr.string_list(doc = "Files or folders below /usr/include."),
        "libraries": attr.string_list(doc = "Files below /usr/lib."),
        "package": attr.string(mandatory = True, doc = "The Debian package to name in errors."),
        "programs": attr.string_list(doc = "Files below /usr/bin."),
    },
)
