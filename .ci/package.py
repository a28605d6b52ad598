#!/usr/bin/env python3
"""Build wheel and sdist, install the wheel beside an Airflow and nothing else, and import all of it.

The wheel is made from the sdist, so what is missing there is missing in both. The environments are thrown away; with
``--out`` the wheel and the sdist are kept, and their hashes beside them, for ``sha256sum --check SHA256SUMS``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "airflow_provider_aihub"
IMPORT = f"""
import importlib, json, pkgutil
from importlib.metadata import entry_points, version
import {PACKAGE}
lacking = {{}}
for found in pkgutil.walk_packages({PACKAGE}.__path__, "{PACKAGE}.", onerror=lambda name: None):
    if found.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        lacking[found.name] = error.name
(entry,) = [one for one in entry_points(group="apache_airflow_provider") if one.module == "{PACKAGE}"]
known = entry.load()()
assert version(known["package-name"]) == {PACKAGE}.__version__
print(json.dumps([lacking, {PACKAGE}.__file__]))
"""
OF_EXTRAS = (f"{PACKAGE}.emulator", f"{PACKAGE}.testing")
"""What may lack something without the extras begins like this."""


def run(*command: str, cwd: Path = ROOT, **env: str) -> str:
    """Run a program, and return what it writes.

    :raises SystemExit: It fails.
    """
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Environment:
    """A virtual environment of its own."""

    def __init__(self, folder: Path, uv: str, constraints: Path) -> None:
        self.folder, self._uv, self._constraints = folder, uv, constraints
        run(uv, "venv", "--quiet", "--python", sys.executable, str(folder))
        self.python = str(folder / "bin" / "python")

    def install(self, *what: str) -> None:
        """Install something."""
        options = ("--quiet", "--system-certs", "--python", self.python, "-c", str(self._constraints))
        run(self._uv, "pip", "install", *options, *what)

    def lacking(self) -> dict[str, str]:
        """Import every module, and return those that lack another package, and which."""
        lacking, at = json.loads(
            run(self.python, "-c", IMPORT, cwd=self.folder, AIRFLOW_HOME=str(self.folder)).splitlines()[-1]
        )
        assert Path(at).is_relative_to(self.folder), at
        return lacking

    @property
    def size(self) -> float:
        """MiB on the disk."""
        return sum(file.lstat().st_size for file in self.folder.rglob("*") if file.is_file()) / 2**20


def build(uv: str, out: Path) -> tuple[Path, Path]:
    """Build both, and return the wheel and the sdist; all files of the package are in them."""
    run(uv, "build", "--quiet", "--system-certs", "--out-dir", str(out), str(ROOT))
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    there = {
        file.relative_to(ROOT).as_posix() for file in (ROOT / PACKAGE).rglob("*") if file.suffix in (".py", ".typed")
    }
    with zipfile.ZipFile(wheel) as built:
        of_wheel = set(built.namelist())
    with tarfile.open(sdist) as built_too:
        of_sdist = {name.partition("/")[2] for name in built_too.getnames()}
    if lost := (there - of_wheel) | (there - of_sdist):
        sys.exit(f"Not in the wheel or the sdist: {', '.join(sorted(lost))}")
    return wheel, sdist


def write_hashes(*files: Path) -> None:
    """Write down the hashes of files, beside them."""
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (files[0].parent / "SHA256SUMS").write_text("".join(lines))


def main() -> None:
    """Do it; what is wrong ends it with a sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default="uv")
    parser.add_argument("--constraints", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="keep them there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        wheel, sdist = build(options.uv, options.out or Path(temporary, "dist"))
        environment = Environment(Path(temporary, "venv"), options.uv, options.constraints.resolve())
        environment.install("apache-airflow")
        sizes = [environment.size]
        environment.install(str(wheel))
        sizes.append(environment.size)
        if lost := {name: lack for name, lack in environment.lacking().items() if not name.startswith(OF_EXTRAS)}:
            sys.exit(f"Without extras these cannot be imported: {lost}")
        for more in ("emulator", "emulator,s3"):
            environment.install(f"{wheel}[{more}]")
            sizes.append(environment.size)
        # Those who use its plugin have it.
        environment.install("pytest")
        if lost := environment.lacking():
            sys.exit(f"With the extras these cannot be imported: {lost}")
        for script in ("aihub-emulator", "modelarts-emulator"):
            run(str(environment.folder / "bin" / script), "--help")
        write_hashes(wheel, sdist)
    print(f"{wheel.name} and {sdist.name} can be installed and imported.")
    names = ("Airflow alone", "with this provider", "with its extra emulator", "with the extra s3, too")
    print("; ".join(f"{name}: {size:.0f} MiB" for name, size in zip(names, sizes, strict=True)))


if __name__ == "__main__":
    main()
