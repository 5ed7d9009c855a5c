"""Writes the lists of plug-ins (plugins.bzl) from the tree:  ./bazelw run //tools:update_plugins

A plug-in is a folder whose BUILD calls plugin_library; its interface says which list it belongs to.
The lists are files, not something Bazel computes, because Bazel cannot glob over packages; a test
holds them to the tree.
"""

import os
import re
import sys

_CALL = re.compile(r"^plugin_library\((.*?)^\)", re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r'^\s*(name|interface)\s*=\s*"([^"]+)"', re.MULTILINE)

# interface -> (folder of the list, name of the list)
LISTS = {
    "//comm:backend": ("comm", "BACKEND_PLUGINS"),
    "//core/run:metrics": ("core/run", "METRIC_SINK_PLUGINS"),
    "//data:dataset": ("data", "DATASET_PLUGINS"),
    "//data:partition": ("data", "PARTITION_PLUGINS"),
    "//experiments/sweep:launcher": ("experiments/sweep", "LAUNCHER_PLUGINS"),
    "//models:model": ("models", "MODEL_PLUGINS"),
    "//optim:algorithm": ("optim", "ALGORITHM_PLUGINS"),
    "//optim:optimizer": ("optim", "OPTIMIZER_PLUGINS"),
    "//optim:schedule": ("optim", "SCHEDULE_PLUGINS"),
    "//topology": ("topology", "TOPOLOGY_PLUGINS"),
}


def find_plugins(root):
    """Returns [(label, interface)] of every plugin_library below `root`, sorted."""
    found = []
    for folder, children, files in os.walk(root):
        children[:] = [c for c in children if not c.startswith((".", "bazel-")) and c != "third_party"]
        if "BUILD" not in files:
            continue
        with open(os.path.join(folder, "BUILD"), encoding="utf-8") as file:
            text = file.read()
        package = os.path.relpath(folder, root).replace(os.sep, "/")
        for call in _CALL.findall(text):
            attributes = dict(_ATTRIBUTE.findall(call))
            name = attributes["name"]
            same = package.rsplit("/", 1)[-1] == name
            label = "//%s" % package if same else "//%s:%s" % (package, name)
            found.append((label, attributes["interface"]))
    return sorted(found)


def render(root):
    """Returns {path of a plugins.bzl: its contents}."""
    folders = {}
    for folder, name in LISTS.values():
        folders.setdefault(folder, {})[name] = []
    for label, interface in find_plugins(root):
        # Examples and tests of users' plug-ins are no part of the binary.
        if label.startswith(("//docs", "//tests")):
            continue
        if interface not in LISTS:
            raise SystemExit("%s implements %s, which has no list in %s" % (label, interface, __file__))
        folder, name = LISTS[interface]
        folders[folder][name].append(label)
    files = {}
    for folder, lists in folders.items():
        text = '"""The plug-ins of this folder; written by `./bazelw run //tools:update_plugins`."""\n'
        for name in sorted(lists):
            entries = "".join('    "%s",\n' % label for label in lists[name])
            text += "\n%s = [\n%s]\n" % (name, entries)
        files[folder + "/plugins.bzl"] = text
    return files


def main():
    root = os.environ["BUILD_WORKSPACE_DIRECTORY"]
    for path, text in render(root).items():
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)
        print(path)


if __name__ == "__main__":
    sys.exit(main())
