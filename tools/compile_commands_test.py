import unittest

from tools import compile_commands


def action(*arguments):
    return {"mnemonic": "CppCompile", "arguments": ["/usr/bin/gcc", *arguments]}


class CompileCommandsTest(unittest.TestCase):
    def entries(self, *actions):
        return compile_commands.entries({"actions": list(actions)}, "/ws", "/base/exec", "/base")

    def test_names_sources_relative_to_the_workspace(self):
        (entry,) = self.entries(action("-iquote", ".", "-c", "core/a.cc", "-o", "bazel-out/a.o"))
        self.assertEqual(entry["directory"], "/ws")
        self.assertEqual(entry["file"], "core/a.cc")
        self.assertEqual(entry["arguments"], ["/usr/bin/gcc", "-iquote", ".", "-c", "core/a.cc"])

    def test_finds_wrapped_libraries_and_generated_files(self):
        (entry,) = self.entries(action(
            "-isystem", "external/glog/include", "-iquote", "bazel-out/k8-opt/bin", "-c", "a.cc"))
        self.assertIn("/base/external/glog/include", entry["arguments"])
        self.assertIn("/base/exec/bazel-out/k8-opt/bin", entry["arguments"])

    def test_drops_by_products_and_what_clang_does_not_know(self):
        (entry,) = self.entries(action(
            "-MD", "-MF", "a.d", "-frandom-seed=a.o", "-fno-canonical-system-headers", "-O2",
            "-c", "a.cc", "-o", "a.o"))
        self.assertEqual(entry["arguments"], ["/usr/bin/gcc", "-O2", "-c", "a.cc"])

    def test_keeps_one_entry_per_file_and_only_compilations(self):
        entries = self.entries(
            action("-c", "b.cc"), action("-c", "a.cc"), action("-c", "a.cc", "-fPIC"), action("-E"))
        self.assertEqual([entry["file"] for entry in entries], ["a.cc", "b.cc"])


if __name__ == "__main__":
    unittest.main()
