"""What a training job runs, and with what: its command, its folders in OBS, its environment."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...process import clean_environment
from ...refused import Refused
from .. import errors
from ..obs import Obs
from ..settings import Algorithm


class Prepared(NamedTuple):
    """
    :param command: For ``/bin/sh``.
    :param environment: What it finds in its environment, besides what every command does.
    :param code: Where its code lies, to be seen in the folder ``MA_JOB_DIR``; ``None`` for none.
    """

    command: str
    environment: dict[str, str]
    code: Path | None


def prepare(algorithm: Mapping[str, Any], known: Algorithm | None, obs: Obs, datasets: Path) -> Prepared:
    """Put together what an algorithm is to run.

    A boot file gets its parameters, and the local folders of inputs and outputs, as ``--name=value``; a command finds
    the same as its arguments ``$@``. Inputs and outputs with ``access_method: env`` are environment variables instead.
    Folders are those in OBS themselves, so nothing is copied.

    :param known: The algorithm that it names, if it names one.
    :param datasets: The folder that holds the datasets.
    :raises Refused: A folder or file is not there, or it says nothing that can be run.
    """
    code_dir = algorithm.get("code_dir") or (known.code_dir if known else "")
    boot_file = algorithm.get("boot_file") or (known.boot_file if known else "")
    command = algorithm.get("command") or (known.command if known else "")
    environment = {str(name): str(value) for name, value in (algorithm.get("environments") or {}).items()}
    arguments = [f"--{item['name']}={item.get('value') or ''}" for item in algorithm.get("parameters") or ()]
    places = [(item, _input(item, obs, datasets)) for item in algorithm.get("inputs") or ()]
    places += [(item, _output(item, obs)) for item in algorithm.get("outputs") or ()]
    for item, place in places:
        if place is None:
            continue
        if item.get("access_method") == "env":
            environment[item["name"]] = str(place)
        else:
            arguments.append(f"--{item['name']}={place}")
    code = obs.existing(code_dir) if code_dir else None
    if boot_file:
        file = _boot_file(boot_file, code_dir, code, obs)
        return Prepared(f"exec python {shlex.join([file, *arguments])}", environment, code)
    if not command:
        raise Refused("algorithm: there is neither a boot file nor a command to run.", errors.TRAINING)
    if known:
        # Its parameters have names that its command knows.
        environment = {**{i["name"]: i.get("value") or "" for i in algorithm.get("parameters") or ()}, **environment}
    return Prepared(f"set -- {shlex.join(arguments)}\n{command}" if arguments else command, environment, code)


def environment(prepared: Prepared, folder: Path, rank: int, nodes: int) -> dict[str, str]:
    """All of the environment of one node of a job."""
    return {
        **clean_environment(folder),
        "MA_JOB_DIR": str(folder.parent / "code"),
        "MA_NUM_HOSTS": str(nodes),
        "MA_TASK_NAME": "worker",
        "VC_TASK_INDEX": str(rank),
        "VC_WORKER_HOSTS": ",".join(["127.0.0.1"] * nodes),
        **prepared.environment,
    }


def place_code(prepared: Prepared, folder: Path) -> None:
    """Let a job see its code, under its own name, in ``MA_JOB_DIR``."""
    place = folder / "code"
    place.mkdir(parents=True, exist_ok=True)
    if prepared.code:
        link = place / prepared.code.name
        link.unlink(missing_ok=True)
        link.symlink_to(prepared.code)


def _boot_file(boot_file: str, code_dir: str, code: Path | None, obs: Obs) -> str:
    if code is None:
        return str(obs.existing(boot_file))
    # In full, or as seen from the folder of the code.
    full = boot_file.startswith(("/", "obs://"))
    file = obs.place(boot_file if full else f"{code_dir.rstrip('/')}/{boot_file}")
    if not file.is_file():
        raise errors.wrong_path(f"There is no boot file {boot_file}.")
    if not file.is_relative_to(code):
        raise errors.wrong_path(f"The boot file {boot_file} is not in the code's folder {code_dir}.")
    return str(file)


def _input(item: Mapping[str, Any], obs: Obs, datasets: Path) -> Path | None:
    remote = item.get("remote") or {}
    if remote.get("dataset"):
        folder: Path = datasets / remote["dataset"]["id"] / (remote["dataset"].get("version_id") or "latest")
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    url = (remote.get("obs") or {}).get("obs_url")
    return obs.existing(url) if url else None


def _output(item: Mapping[str, Any], obs: Obs) -> Path | None:
    url = ((item.get("remote") or {}).get("obs") or {}).get("obs_url")
    return obs.folder(url) if url else None
