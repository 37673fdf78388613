"""Page: how Voilà serves the app: which command, with which template and limits. It needs nothing from elsewhere."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from rtlib import private

TEMPLATE = "rtlib"
SHARE = Path(__file__).parent / "share"
INSTRUCTION = (
    "The app could not be shown. In a terminal, 'rtlib doctor' and 'rtlib status' say what is wrong and how to cure "
    "it; what Python said is in the terminal that runs the app. Then reload this page."
)


# The dashboard talks to the browser every second, which must not count as somebody being there: a kernel is kept by an
# open page, and by nothing else. The rest of the list is Jupyter's own.
NO_SIGN_OF_LIFE = (
    *("comm_open", "comm_msg", "comm_close", "execute_request", "execute_reply"),
    *("comm_info_request", "comm_info_reply", "kernel_info_request", "kernel_info_reply", "shutdown_request"),
    *("shutdown_reply", "interrupt_request", "interrupt_reply", "stream", "display_data", "update_display_data"),
    *("execute_input", "execute_result", "error", "status", "clear_output", "iopub_welcome"),
)


SOCKET_PATH_LIMIT = 100  # a unix socket's path may have 103 bytes on macOS, 107 on Linux
KERNEL_SOCKET = "kernel-00000000-0000-0000-0000-000000000000-ipc-1000"
VOILA_FOLDER = "voila_12345678"


def command(notebook: Path, *, port: int, closed: bool = False, cull_seconds: int = 120) -> list[str]:
    """The command that serves a notebook on this machine alone.

    Args:
        notebook: What to serve; each visitor gets a kernel of their own.
        port: Where.
        closed: The first visit needs the token that ``write_config`` wrote; without that file, one that nobody knows.
            A token on the command line could be read by every user of the machine.
        cull_seconds: How long a kernel lives on after its page is gone, in seconds.
    """
    options = {
        "Voila.ip": "127.0.0.1",
        "Voila.log_level": "ERROR",  # tracebacks of a notebook are errors: the developer sees them here
        "VoilaConfiguration.template": TEMPLATE,
        "VoilaConfiguration.allow_template_override": "NO",
        "VoilaConfiguration.extension_denylist": "jupyterlab-jupytext",  # it is for JupyterLab and fails here
        "Voila.identity_provider_class": "rtlib.widgets.sign_in.AppSignIn",
        "VoilaExecutor.cell_error_instruction": INSTRUCTION,
        # A kernel whose page was closed is ended, also when the browser could not say that it was closed.
        "MappingKernelManager.cull_idle_timeout": str(cull_seconds),
        "MappingKernelManager.cull_interval": str(max(1, cull_seconds // 4)),
    }
    return [
        *(sys.executable, "-W", "ignore", "-m", "voila", str(notebook), f"--port={port}", "--no-browser"),
        *(["--token"] if closed else []),
        *kernel_sockets(Path(tempfile.gettempdir()) / VOILA_FOLDER),
        *(f"--{name}={value}" for name, value in options.items()),
        *(f"--MappingKernelManager.untracked_message_types={one}" for one in NO_SIGN_OF_LIFE),
    ]


def kernel_sockets(folder: Path) -> list[str]:
    """The option that has kernels listen in a folder of their owner's instead of on ports.

    What a kernel prints goes out unencrypted to whoever subscribes, and a port is open to every user of the machine.
    Where the sockets' paths would be too long for the system, or there are none, it stays with ports.

    Args:
        folder: Where the server keeps its kernels' connection files.
    """
    fits = os.name == "posix" and len(os.fsencode(folder / KERNEL_SOCKET)) <= SOCKET_PATH_LIMIT
    return ["--KernelManager.transport=ipc"] if fits else []


def write_config(folder: Path, *, token: SecretStr, host: str | None) -> None:
    """Write Voilà's settings of one run (mode 0600): the token, and by which names the app may be asked for.

    Args:
        folder: Where; ``environment`` has Voilà look there.
        token: What the first visit must carry.
        host: A name besides this machine's own, for instance that of a proxy before the app.
    """
    shared = json.loads((SHARE / "config" / "voila.json").read_text())["Voila"]
    names = ["localhost", *([host] if host else [])]
    settings = {**shared["tornado_settings"], "local_hostnames": names}
    private.make_folder(folder)
    told = {"Voila": {**shared, "token": token.get_secret_value(), "tornado_settings": settings}}
    private.write(folder / "voila.json", json.dumps(told))


def environment(base: Mapping[str, str], *, config: Path | None = None) -> dict[str, str]:
    """The environment for Voilà and JupyterLab: ``base``, with the app's template and settings where they look.

    Args:
        base: The variables of this process.
        config: A folder with settings of this run, which come before the app's own.

    The settings hold what the command line cannot say: that JupyterLab does not ask a newcomer whether it may fetch
    news from elsewhere, and that Voilà sends no pings. Their time-out must not be longer than their interval, and then
    the server takes every connection for dead at its first ping: a click during the reconnection would be lost. And
    that Voilà, which answers to any ``Host`` by default, answers to this machine's names alone: else a page elsewhere
    could give its own name this machine's address, and read the app. And that it serves no file of the notebook's
    folder: it would to everybody.
    A terminal in JupyterLab and a cell with ``!`` find ``rtlib``.
    """
    scripts = Path(sys.executable).parent
    configs = [*([config] if config else []), SHARE / "config"]
    places = {"JUPYTER_PATH": [SHARE], "JUPYTER_CONFIG_PATH": configs, "PATH": [scripts]}
    return {
        **base,
        **{name: os.pathsep.join(filter(None, [*map(str, one), base.get(name)])) for name, one in places.items()},
    }
