"""The patch of a working tree, applied to its commit, is that working tree."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.abspath(sys.argv.pop(1))

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]


class SourcePatchTest(unittest.TestCase):

    def setUp(self):
        self.directory = tempfile.mkdtemp(dir=os.environ["TEST_TMPDIR"])
        self.git("init", "--quiet")
        self.write("changed.cc", "one\ntwo\nthree\n")
        self.write("removed.cc", "gone\n")
        self.write("folder/moved.cc", "moved\n")
        self.write("bits.bin", bytes(range(256)))
        self.write(".gitignore", "ignored/\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=first")

    def git(self, *args, directory=None):
        return subprocess.run(GIT + list(args), cwd=directory or self.directory, check=True,
                              stdout=subprocess.PIPE).stdout

    def write(self, name, contents):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(contents if isinstance(contents, bytes) else contents.encode())

    def patch(self):
        return subprocess.run([SCRIPT], cwd=os.path.join(self.directory, "folder"), check=True,
                              stdout=subprocess.PIPE).stdout

    def contents(self, directory):
        found = {}
        for folder, folders, names in os.walk(directory):
            folders[:] = [name for name in folders if name not in (".git", "ignored")]
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, directory)] = (file.read(),
                                                               os.access(path, os.X_OK))
        return found

    def applied(self, patch):
        """What the commit and the patch make."""
        clone = tempfile.mkdtemp(dir=os.environ["TEST_TMPDIR"])
        self.git("clone", "--quiet", self.directory, clone)
        path = os.path.join(os.environ["TEST_TMPDIR"], "source.patch")
        with open(path, "wb") as file:
            file.write(patch)
        self.git("apply", path, directory=clone)
        return self.contents(clone)

    def test_gives_the_working_tree(self):
        self.write("changed.cc", "one\n2\nthree")
        os.remove(os.path.join(self.directory, "removed.cc"))
        shutil.move(os.path.join(self.directory, "folder/moved.cc"),
                    os.path.join(self.directory, "folder/here.cc"))
        self.write("bits.bin", bytes(reversed(range(256))))
        self.write("new folder/new ü.cc", "new\n")
        self.write("empty.cc", "")
        self.write("script", "#!/bin/sh\n")
        os.chmod(os.path.join(self.directory, "script"), 0o755)
        self.write("ignored/large.bin", b"\0" * 10)
        self.write("staged.cc", "staged\n")
        self.git("add", "staged.cc")
        before = self.git("status", "--porcelain")
        patch = self.patch()
        self.assertEqual(self.git("status", "--porcelain"), before, "the index is as it was")
        self.assertEqual(self.applied(patch), self.contents(self.directory))

    def test_says_what_is_left_out(self):
        self.write("changed.cc", "other\n")
        self.write("results.txt", "line\n" * 100000)
        self.write("image.png", bytes(range(256)))
        patch = self.patch()
        self.assertIn(b"# not here, larger than 131072 bytes: new file results.txt\n", patch)
        self.assertIn(b"# not here, no text: new file image.png\n", patch)
        expected = self.contents(self.directory)
        del expected["results.txt"], expected["image.png"]
        self.assertEqual(self.applied(patch), expected)

    def test_a_huge_patch_is_left_out(self):
        self.write("changed.cc", "line\n" * 200000)
        self.assertRegex(self.patch(), rb"^# not here: the changes are \d+ bytes, more than 524288\n$")

    def test_nothing_changed(self):
        self.assertEqual(self.patch(), b"")


if __name__ == "__main__":
    unittest.main()
