"""Each rule, on small trees made up for it: one that keeps it and one that breaks it."""

import os
import tempfile
import unittest

from tests.layering import rules

ABSL = '[alias(name = n) for n in ["btree", "core_headers", "status", "str_format", "strings"]]'


class RulesTest(unittest.TestCase):
    def tree(self, files):
        root = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return rules.Tree(root)

    def expect(self, rule, files, *problems):
        self.assertEqual(rule(self.tree(files)), list(problems))

    def test_directions_downwards_are_fine(self):
        self.expect(rules.include_directions, {
            "core/a.cc": '#include "core/a.h"\n#include <vector>\n',
            "optim/a.cc": '#include "core/a.h"\n#include "topology/t.h"\n#include "comm/c.h"\n',
            "comm/sim/a.cc": '#include "cluster/c.h"\n',
            "experiments/a.cc": '#include "models/model.h"\n',
            "tests/a.cc": '#include "experiments/driver.h"\n',
        })

    def test_directions_upwards_are_named(self):
        self.expect(
            rules.include_directions, {
                "core/a.cc": '// A comment.\n#include "topology/t.h"\n',
                "comm/threads/a.cc": '#include "cluster/c.h"\n',
                "experiments/a.cc": '#include "tests/t.h"\n',
            },
            "comm/threads/a.cc:1: comm/ may not include cluster/c.h; it may include comm, core, "
            "topology",
            "core/a.cc:2: core/ may not include topology/t.h; it may include core",
            "experiments/a.cc:1: experiments/ may not include tests/t.h; it may include cluster, "
            "comm, core, data, experiments, models, optim, topology")

    def test_torch_outside_models(self):
        self.expect(
            rules.torch_only_in_models, {
                "models/a.cc": "#include <torch/torch.h>\n",
                "optim/a.cc": "#include <ATen/Parallel.h>\n",
            },
            "optim/a.cc:1: only models/ may include LibTorch (ATen/Parallel.h); go through "
            "models/model.h")

    def test_external_labels(self):
        self.expect(
            rules.external_labels, {
                "third_party/x/BUILD": 'alias(actual = "@x//:x")',
                "core/BUILD": '\nf(deps = ["@com_google_protobuf//:any_proto", "@glog//:glog"])',
                "core/p.bzl": 'load("@starling//core:plugin.bzl", "f")',
                "WORKSPACE": 'load("@x//:x.bzl", "x")',
            },
            "core/BUILD:2: @glog//:glog belongs behind a target of //third_party")

    def test_third_party_deps_are_per_target(self):
        build = '''
cc_library(name = "a", srcs = ["a.cc"], deps = ["//third_party/absl:strings"])
cc_library(name = "b", srcs = ["b.cc"], deps = ["//third_party/glog"])
'''
        source = '#include "absl/strings/str_cat.h"\n#include "glog/logging.h"\n'
        self.expect(
            rules.third_party_deps, {
                "third_party/absl/BUILD": ABSL,
                "core/BUILD": build,
                "core/a.cc": source,
                "core/b.cc": source,
                "core/c.cc": source,
            },
            'core/a.cc:2: glog/logging.h needs "//third_party/glog" in the deps of its target in '
            "core/BUILD",
            'core/b.cc:1: absl/strings/str_cat.h needs "//third_party/absl:strings" in the deps '
            "of its target in core/BUILD",
            "core/c.cc:1: no target in core/BUILD has this file")

    def test_third_party_deps_of_a_plugin(self):
        build = ('plugin_library(name = "p", srcs = ["p.cc"], interface = "//optim:algorithm",\n'
                 '    deps = ["//third_party/hwy"], test_deps = ["//third_party/glog"])')
        self.expect(
            rules.third_party_deps, {
                "optim/p/BUILD": build,
                "optim/p/p.cc": '#include "hwy/highway.h"\n#include "glog/logging.h"\n',
                "optim/p/p_test.cc": '#include "gtest/gtest.h"\n#include "glog/logging.h"\n',
            },
            'optim/p/p.cc:2: glog/logging.h needs "//third_party/glog" in the deps of its target '
            "in optim/p/BUILD")

    def test_absl_labels(self):
        targets = {"algorithm_container", "btree", "core_headers", "str_format", "strings"}
        for header, target in [
                ("algorithm/container", "algorithm_container"), ("container/btree_map", "btree"),
                ("base/thread_annotations", "core_headers"), ("strings/str_format", "str_format"),
                ("strings/str_cat", "strings"), ("types/any", None)]:
            label = rules.absl_label("absl/%s.h" % header, targets)
            self.assertEqual(label, target and "//third_party/absl:" + target)

    def test_plugins_keep_their_headers(self):
        plugin = 'plugin_library(name = "%s")'
        self.expect(
            rules.plugins_stand_alone, {
                "optim/a/BUILD": plugin % "a",
                "optim/b/BUILD": plugin % "b",
                "optim/a/a.cc": '#include "optim/a/a.h"\n#include "optim/algorithm.h"\n',
                "optim/b/b.cc": '#include "optim/a/a.h"\n',
                "tests/t.cc": '#include "optim/a/a.h"\n',
            },
            "optim/b/b.cc:1: optim/a/a.h belongs to a plug-in; include its interface")

    def test_plugin_folders(self):
        self.expect(
            rules.plugin_folders_complete, {
                "optim/a/BUILD": 'plugin_library(name = "a")',
                "optim/a/a_test.cc": "",
                "optim/b/BUILD": 'plugin_library(name = "b")',
                "optim/b/README.md": "",
            },
            "optim/a/BUILD:1: a plug-in's folder needs README.md",
            "optim/b/BUILD:1: a plug-in's folder needs b_test.cc")

    def test_packages_listed(self):
        self.expect(
            rules.packages_listed, {
                "third_party/debian-packages.txt": "# Libraries.\nliba-dev\n",
                "third_party/r.bzl": 'f(\n    package = "liba-dev libb-dev",\n)\n',
            },
            "third_party/r.bzl:2: libb-dev is not in third_party/debian-packages.txt")

    def test_file_length(self):
        self.expect(
            rules.file_length, {"core/a.cc": "\n" * 450, "core/b.cc": "\n" * 460},
            "core/b.cc:451: has 460 lines; split it at a seam, 450 is the limit")

    def test_build_output_is_not_looked_at(self):
        tree = self.tree({"bazel-bin/core/a.cc": "", "core/a.cc": "", "third_party/x/x.cc": ""})
        self.assertEqual(tree.sources(), ["core/a.cc"])


if __name__ == "__main__":
    unittest.main()
