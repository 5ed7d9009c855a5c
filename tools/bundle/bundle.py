"""Packs Starling into one archive that runs on any x86-64 Linux:  ./bazelw run //:bundle

starling-bundle.tar.gz, made in the directory the user stands in (or --output FILE; a name that ends
in .tar is not compressed), holds

    starling             starts the program; ./starling train --config=mine.textproto
    bin/mpirun, orted    start Open MPI's own, for clusters without a launcher
    libexec/             the programs themselves
    lib/                 every shared library that they need, libc and the dynamic loader included
    etc/, share/         Open MPI's settings and messages
    licences/            of every Debian package that a file comes from; PACKAGES has the versions

Nothing of the machine's own libraries is used. The data sets are not in it.
"""

import argparse
import io
import os
import re
import subprocess
import sys
import tarfile

NAME = "starling-bundle"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
LOADER = "/lib64/ld-linux-x86-64.so.2"
# Plug-ins that Open MPI and PMIx look for below their prefix at run time.
PLUGIN_FOLDERS = [LIBRARIES + "/openmpi/lib/openmpi3", LIBRARIES + "/pmix2/lib/pmix"]
DATA_FOLDERS = {"/etc/openmpi": "etc/openmpi", "/usr/share/openmpi": "share/openmpi",
                LIBRARIES + "/pmix2/share": "lib/x86_64-linux-gnu/pmix2/share"}
MPI_PROGRAMS = ["mpirun", "orted"]

_SCRIPT = """#!/bin/sh
# Starts {program} with the libraries of this bundle, wherever it lies.
self=$0
[ ! -L "$self" ] || self=$(readlink -f -- "$self")
root=$(cd -- "${{self%/*}}{up}" && pwd -P) || exit 1
OPAL_PREFIX=$root
OPAL_SYSCONFDIR=$root/etc/openmpi
PMIX_MCA_mca_base_component_path=$root/lib/x86_64-linux-gnu/pmix2/lib/pmix
PMIX_PKGDATADIR=$root/lib/x86_64-linux-gnu/pmix2/share/pmix
PMIX_SYSCONFDIR=$root/lib/x86_64-linux-gnu/pmix2/share
HWLOC_PLUGINS_PATH=$root/none
STARLING_LAUNCHER=$root/starling
PATH=$root/bin:$PATH
# Open MPI insists on a way to other machines, also when it starts nothing there.
command -v ssh > /dev/null || OMPI_MCA_plm_rsh_agent=${{OMPI_MCA_plm_rsh_agent:-/bin/sh}}
[ -z "${{OMPI_MCA_plm_rsh_agent:-}}" ] || export OMPI_MCA_plm_rsh_agent
export OPAL_PREFIX OPAL_SYSCONFDIR PMIX_MCA_mca_base_component_path PMIX_PKGDATADIR PMIX_SYSCONFDIR
export HWLOC_PLUGINS_PATH STARLING_LAUNCHER PATH
exec "$root/lib/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$root/lib" \\
  --argv0 "$root/{path}" "$root/libexec/{program}" "$@"
"""


def needed_or_not(path):
    """Returns {name: file} of the libraries that `path` is linked with, directly or not; None: missing."""
    output = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\s*(\S+) => (/\S+|not found)", output, re.MULTILINE)
    return {name: file if file[0] == "/" else None for name, file in found}


def needed(path):
    """The same; ends the program if one is missing."""
    libraries = needed_or_not(path)
    missing = [name for name, file in libraries.items() if file is None]
    if missing:
        sys.exit("bundle: %s needs %s, which is not installed" % (path, ", ".join(missing)))
    return libraries


def files_below(folder):
    return sorted(os.path.join(parent, name)
                  for parent, _, names in os.walk(folder) for name in names)


def contents(program):
    """Returns {path in the bundle: file} of all that is copied."""
    files = {"libexec/starling": program, "lib/ld-linux-x86-64.so.2": LOADER}
    for name in MPI_PROGRAMS:
        files["libexec/" + name] = "/usr/bin/" + name
    for folder in PLUGIN_FOLDERS:
        for path in files_below(folder):
            if path.endswith(".so"):
                files[path.replace(LIBRARIES, "lib/x86_64-linux-gnu")] = path
    libraries = {}
    for path in list(files.values()):
        if path != LOADER:
            libraries.update(needed(path))
    files.update({"lib/" + name: path for name, path in libraries.items()})
    for folder, target in DATA_FOLDERS.items():
        for path in files_below(folder):
            if not path.endswith("-wrapper-data.txt"):  # of compilers
                files[target + path[len(folder):]] = path
    return files


def packages(paths):
    """Returns {package: version} of those that the files belong to; each file must have one."""
    asked = {}  # name -> file; Debian knows some by the name they had before /lib was a link
    for path in paths:
        real = os.path.realpath(path)
        for name in (path, real, real.replace("/usr/lib", "/lib", 1)):
            asked[name] = real
    found = subprocess.run(["dpkg-query", "--search", *sorted(asked)], capture_output=True,
                           text=True, check=False).stdout  # fails for names it does not know
    names, unknown = set(), set(asked.values())
    for line in found.splitlines():
        owners, _, name = line.partition(": /")
        if not line.startswith("diversion "):
            names |= {owner.strip() for owner in owners.split(",")}
            unknown.discard(asked.get("/" + name))
    if unknown:
        sys.exit("bundle: no Debian package has %s, so its licence is not known" %
                 ", ".join(sorted(unknown)))
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *sorted(names)],
        capture_output=True, text=True, check=True).stdout
    return dict(line.split() for line in listed.splitlines())


class Archive:
    """A tar file whose bytes depend on its contents alone."""

    def __init__(self, output):
        # Level 1 takes a third of the time of level 6 for an archive that is a tenth larger.
        options = {} if output.endswith(".tar") else {"compresslevel": 1}
        self.tar = tarfile.open(output, "w" if output.endswith(".tar") else "w:gz", **options)

    def add(self, name, data, size, mode):
        info = tarfile.TarInfo(NAME + "/" + name)
        info.size, info.mode = size, mode
        self.tar.addfile(info, data)

    def add_text(self, name, text, mode=0o644):
        data = text.encode()
        self.add(name, io.BytesIO(data), len(data), mode)

    def add_file(self, name, path):
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            self.add(name, file, status.st_size, 0o755 if status.st_mode & 0o100 else 0o644)


def write(output, program, licence):
    files = contents(program)
    owners = packages([path for path in files.values() if path != program])
    archive = Archive(output)
    archive.add_text("starling", _SCRIPT.format(program="starling", path="starling", up=""), 0o755)
    for name in MPI_PROGRAMS:
        path = "bin/" + name
        archive.add_text(path, _SCRIPT.format(program=name, path=path, up="/.."), 0o755)
    archive.add_file("licences/starling/LICENSE", licence)
    archive.add_text("PACKAGES", "".join("%s %s\n" % owner for owner in sorted(owners.items())))
    for package in sorted(owners):
        copyright_file = "/usr/share/doc/%s/copyright" % package
        if not os.path.exists(copyright_file):
            sys.exit("bundle: %s is missing; without it the files of package %s must not be passed "
                     "on" % (copyright_file, package))
        archive.add_file("licences/%s/copyright" % package, copyright_file)
    for name, path in sorted(files.items()):
        archive.add_file(name, path)
    archive.tar.close()
    return len(files), len(owners)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--licence", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--output", default=NAME + ".tar.gz")
    options = parser.parse_args()
    output = os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", ""), options.output)
    files, owners = write(output, os.path.realpath(options.program), options.licence)
    print("%s: %.0f MB, %d files of Starling and %d Debian packages" % (
        output, os.path.getsize(output) / 1e6, files, owners))


if __name__ == "__main__":
    main()
