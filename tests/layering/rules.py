"""The rules on who may include whom, and on what a file looks like, checked on the source text.

Each function takes a Tree and returns problems as "path:line: what is wrong, what would be right".
They look at what Bazel does not: it hides undeclared headers of our own, but /usr/include is always
in the compiler's search path, and no build fails when a folder depends on one above it.
"""

import ast
import os
import re

# Folder -> folders whose headers it may include, besides its own.
MAY_INCLUDE = {
    "core": set(),
    "topology": {"core"},
    "cluster": {"core", "topology"},
    "comm": {"core", "topology"},
    "comm/sim": {"core", "topology", "cluster"},
    "data": {"core"},
    "models": {"core", "data"},
    "optim": {"core", "topology", "comm"},
}
# These assemble everything; the second list may use the first.
ASSEMBLERS = ["experiments", "docs", "tests"]
FOLDERS = sorted(name for name in MAY_INCLUDE if "/" not in name) + ASSEMBLERS

TORCH = ("torch/", "ATen/", "c10/", "caffe2/")

# Include prefix -> label that must be among the deps. Abseil: see absl_label.
LIBRARIES = {
    "ATen/": "//third_party/torch",
    "benchmark/": "//third_party/benchmark",
    "boost/": "//third_party/boost",
    "c10/": "//third_party/torch",
    "cuda_runtime.h": "//third_party/cuda",
    "gflags/": "//third_party/gflags",
    "glog/": "//third_party/glog",
    "gmock/": "//third_party/gtest",
    "google/protobuf/": "//third_party/protobuf",
    "gtest/": "//third_party/gtest",
    "hwy/": "//third_party/hwy",
    "jerror.h": "//third_party/jpeg",
    "jpeglib.h": "//third_party/jpeg",
    "mpi.h": "//third_party/mpi",
    "nccl.h": "//third_party/cuda:nccl",
    "nlohmann/": "//third_party/nlohmann_json",
    "png.h": "//third_party/png",
    "simgrid/": "//third_party/simgrid",
    "torch/": "//third_party/torch",
    "zip.h": "//third_party/zip",
    "zlib.h": "//third_party/zlib",
}

MAX_LINES = 450

_INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')
_EXTERNAL = re.compile(r'"(@\w*//[^"]*)"')
# Outside third_party, only these labels of other repositories: our own, Bazel's, and .proto files.
_EXTERNAL_OK = re.compile(r"@starling//|@bazel_tools//|@com_google_protobuf//:\w+_proto$")


class Tree:
    """The source files below `root`, by path relative to it."""

    def __init__(self, root):
        self.root = root
        self.files = []
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(
                f for f in folders if not f.startswith(("bazel-", ".git", "__pycache__")))
            self.files += [os.path.relpath(os.path.join(folder, f), root) for f in sorted(files)]

    def lines(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read().splitlines()

    def sources(self):
        """C++ files of our own."""
        return [f for f in self.files
                if f.endswith((".cc", ".h", ".cu", ".cuh")) and f.split("/")[0] in FOLDERS]

    def includes(self, path):
        """(line number, included path) pairs."""
        found = ((n, _INCLUDE.match(line)) for n, line in enumerate(self.lines(path), 1))
        return [(n, match.group(1)) for n, match in found if match]

    def rules(self, package):
        """The calls in the package's BUILD file as {keyword: set of the strings in it}."""
        build = os.path.join(package, "BUILD")
        if build not in self.files:
            return []
        calls = []
        for node in ast.walk(ast.parse("\n".join(self.lines(build)))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                call = {k.arg: {c.value for c in ast.walk(k.value) if isinstance(c, ast.Constant)}
                        for k in node.keywords if k.arg}
                calls.append({"rule": node.func.id, "line": node.lineno, **call})
        return calls

    def plugins(self):
        """{folder: names} of the folders that call plugin_library."""
        found = {}
        for build in self.files:
            if os.path.basename(build) == "BUILD" and build.split("/")[0] in FOLDERS:
                folder = os.path.dirname(build)
                names = {n for call in self.rules(folder) if call["rule"] == "plugin_library"
                         for n in call.get("name", ())}
                if names:
                    found[folder] = names
        return found


def include_directions(tree):
    problems = []
    for path in tree.sources():
        top = path.split("/")[0]
        if top in ASSEMBLERS:
            allowed = set(FOLDERS) - set(ASSEMBLERS[ASSEMBLERS.index(top) + 1:])
        else:
            scope = max((s for s in MAY_INCLUDE if path.startswith(s + "/")), key=len)
            allowed = MAY_INCLUDE[scope] | {top}
        for line, included in tree.includes(path):
            other = included.split("/")[0]
            if "/" in included and other in FOLDERS and other not in allowed:
                problems.append("%s:%d: %s/ may not include %s; it may include %s" % (
                    path, line, top, included, ", ".join(sorted(allowed))))
    return problems


def torch_only_in_models(tree):
    return ["%s:%d: only models/ may include LibTorch (%s); go through models/model.h" % (
        path, line, included)
            for path in tree.sources() if not path.startswith("models/")
            for line, included in tree.includes(path) if included.startswith(TORCH)]


def external_labels(tree):
    problems = []
    for path in tree.files:
        name = os.path.basename(path)
        if path.startswith("third_party/") or not (name == "BUILD" or name.endswith(".bzl")):
            continue
        for line, text in enumerate(tree.lines(path), 1):
            for label in _EXTERNAL.findall(text):
                if not _EXTERNAL_OK.match(label):
                    problems.append("%s:%d: %s belongs behind a target of //third_party" % (
                        path, line, label))
    return problems


def absl_label(included, targets):
    """Returns the target of //third_party/absl that holds a header, or None if none does.

    By the names: absl/strings/str_format.h is :str_format, absl/strings/str_cat.h is :strings,
    absl/algorithm/container.h is :algorithm_container, absl/container/btree_map.h is :btree.
    """
    folder, stem = included.split("/")[1], os.path.splitext(os.path.basename(included))[0]
    names = [folder + "_" + stem, stem, stem.rpartition("_")[0], folder,
             {"base": "core_headers", "meta": "type_traits"}.get(folder)]
    for name in names:
        if name and name in targets:
            return "//third_party/absl:" + name
    return None


def _has_label(strings, label):
    """Whether the label is there, or any of its package where the label names only that."""
    if ":" in label:
        return label in strings
    return any(isinstance(s, str) and (s == label or s.startswith(label + ":")) for s in strings)


def third_party_deps(tree):
    absl = {name for call in tree.rules("third_party/absl") for name in call.get("name", ())}
    absl |= _string_constants(tree, "third_party/absl/BUILD")
    problems = []
    for path in tree.sources():
        package, name = os.path.split(path)
        while package and os.path.join(package, "BUILD") not in tree.files:
            package, parent = os.path.split(package)
            name = os.path.join(parent, name)
        deps = _deps_of(tree.rules(package), name)
        if deps is None:
            problems.append("%s:1: no target in %s/BUILD has this file" % (path, package))
            continue
        for line, included in tree.includes(path):
            if included.startswith("absl/"):
                label = absl_label(included, absl)
            else:
                label = next((l for p, l in LIBRARIES.items() if included.startswith(p)), None)
                if label is None:
                    continue
            if label is None:
                problems.append("%s:%d: no target of //third_party/absl holds %s" % (
                    path, line, included))
            elif not _has_label(deps, label):
                problems.append('%s:%d: %s needs "%s" in the deps of its target in %s/BUILD' % (
                    path, line, included, label, package))
    return problems


def _string_constants(tree, path):
    if path not in tree.files:
        return set()
    nodes = ast.walk(ast.parse("\n".join(tree.lines(path))))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _deps_of(calls, file):
    """Strings in the deps of all rules that compile `file`; None if there is no such rule."""
    found = None
    for call in calls:
        files = set().union(*(call.get(k, set()) for k in (
            "srcs", "hdrs", "textual_hdrs", "linkstamp", "cuda_srcs")))
        deps = call.get("deps", set()) | call.get("interface", set())
        if call["rule"] == "cuda_library" or "cuda_srcs" in call:
            deps = deps | {"//third_party/cuda"}
        if file in files:
            found = (found or set()) | deps
        if call["rule"] == "plugin_library" and file in {
                "%s_test.cc" % name for name in call.get("name", ())}:
            test_deps = call.get("test_deps", set()) | {"//third_party/gtest:gtest_main"}
            found = (found or set()) | deps | test_deps
    return found


def plugins_stand_alone(tree):
    """A plug-in's header is for its own folder, and for tests/, which compares plug-ins."""
    plugins = tree.plugins()
    problems = []
    for path in tree.sources():
        for line, included in tree.includes(path):
            folder = os.path.dirname(included)
            if folder in plugins and not path.startswith(("tests/", folder + "/")):
                problems.append("%s:%d: %s belongs to a plug-in; include its interface" % (
                    path, line, included))
    return problems


def plugin_folders_complete(tree):
    problems = []
    for folder, names in sorted(tree.plugins().items()):
        for needed in ["README.md"] + ["%s_test.cc" % name for name in sorted(names)]:
            if os.path.join(folder, needed) not in tree.files:
                problems.append("%s/BUILD:1: a plug-in's folder needs %s" % (folder, needed))
    return problems


def packages_listed(tree):
    """What the build asks of Debian must be in the list that ./bazelw installs."""
    listed = {line.split("#")[0].strip() for line in tree.lines("third_party/debian-packages.txt")}
    asked = re.compile(r'^\s*(?:package|_PACKAGE) = "([^"]*)"')
    problems = []
    for path in tree.files:
        if path.startswith("third_party/") and path.endswith(".bzl"):
            for line, text in enumerate(tree.lines(path), 1):
                for package in (asked.findall(text) or [""])[0].split():
                    if package not in listed:
                        problems.append("%s:%d: %s is not in third_party/debian-packages.txt" % (
                            path, line, package))
    return problems


def file_length(tree):
    return ["%s:%d: has %d lines; split it at a seam, %d is the limit" % (
        path, MAX_LINES + 1, len(tree.lines(path)), MAX_LINES)
            for path in tree.sources() if len(tree.lines(path)) > MAX_LINES]
