"""Voilà process: the command, configuration and environment that serve the app. Depends on no other part."""

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
    "The app could not be shown. In a terminal, 'rtlib doctor' and 'rtlib status' name the problem and its cure; "
    "the Python error is in the terminal that runs the app. Then reload this page."
)

# Messages that do not reset a kernel's idle timer. The dashboard exchanges comm messages with the browser every second,
# which must not keep a kernel alive after its page was closed. The rest of the list is Jupyter's default.
UNTRACKED_MESSAGES = (
    *("comm_open", "comm_msg", "comm_close", "execute_request", "execute_reply"),
    *("comm_info_request", "comm_info_reply", "kernel_info_request", "kernel_info_reply", "shutdown_request"),
    *("shutdown_reply", "interrupt_request", "interrupt_reply", "stream", "display_data", "update_display_data"),
    *("execute_input", "execute_result", "error", "status", "clear_output", "iopub_welcome"),
)

SOCKET_PATH_LIMIT = 100  # bytes; the path of a unix socket may have 103 on macOS, 107 on Linux
KERNEL_SOCKET = "kernel-00000000-0000-0000-0000-000000000000-ipc-1000"  # as long as a real name
VOILA_FOLDER = "voila_12345678"


def command(notebook: Path, *, port: int, closed: bool = False, cull_seconds: int = 120) -> list[str]:
    """The command line that serves a notebook on the loopback interface.

    Args:
        notebook: The notebook; each visitor gets their own kernel.
        port: TCP port on 127.0.0.1.
        closed: Require the token from ``write_config`` on the first visit; without that file Voilà draws a random one.
            The token is never on the command line, which every user of the machine can read.
        cull_seconds: How long a kernel survives after its page was closed, in seconds.
    """
    root = kernel_root()
    options = {
        "Voila.ip": "127.0.0.1",
        "Voila.connection_dir_root": str(root),
        "Voila.log_level": "ERROR",  # includes tracebacks of a notebook, which a developer sees here
        "VoilaConfiguration.template": TEMPLATE,
        "VoilaConfiguration.allow_template_override": "NO",
        "VoilaConfiguration.extension_denylist": "jupyterlab-jupytext",  # works in JupyterLab only
        "Voila.identity_provider_class": "rtlib.services.voila_sign_in.AppSignIn",
        "VoilaExecutor.cell_error_instruction": INSTRUCTION,
        # Ends a kernel whose page was closed even if the browser could not report it.
        "MappingKernelManager.cull_idle_timeout": str(cull_seconds),
        "MappingKernelManager.cull_interval": str(max(1, cull_seconds // 4)),
    }
    return [
        *(sys.executable, "-W", "ignore", "-m", "voila", str(notebook), f"--port={port}", "--no-browser"),
        *(["--token"] if closed else []),
        *kernel_sockets(root / VOILA_FOLDER),
        *(f"--{name}={value}" for name, value in options.items()),
        *(f"--MappingKernelManager.untracked_message_types={kind}" for kind in UNTRACKED_MESSAGES),
    ]


def kernel_sockets(folder: Path) -> list[str]:
    """The option that makes kernels listen on unix sockets in a private folder instead of on TCP ports.

    Kernels publish their output unencrypted, and every user of the machine can connect to a port. Returns no option,
    so ports are used, where the system has no unix sockets or the sockets' paths would be too long.

    Args:
        folder: Where the server keeps its kernels' connection files.
    """
    return ["--KernelManager.transport=ipc"] if os.name == "posix" and sockets_fit(folder) else []


def sockets_fit(folder: Path) -> bool:
    """Whether the path of a kernel's socket in this folder is short enough for the system."""
    return len(os.fsencode(folder / KERNEL_SOCKET)) <= SOCKET_PATH_LIMIT


def kernel_root() -> Path:
    """Where to make a private folder for kernels: the temporary folder, or ``/tmp`` if sockets there do not fit.

    On macOS the temporary folder's path alone takes half of what a socket's path may have.
    """
    root, short = Path(tempfile.gettempdir()), Path("/tmp")
    return short if not sockets_fit(root / VOILA_FOLDER) and short.is_dir() else root


def write_config(folder: Path, *, token: SecretStr, host: str | None) -> None:
    """Write Voilà's configuration for one run (mode 0600): the token and the accepted host names.

    Args:
        folder: Where; pass it to ``environment`` so that Voilà finds it.
        token: Required on the first visit.
        host: A host name besides this machine's own, for example that of a proxy in front of the app.
    """
    base = json.loads((SHARE / "config" / "voila.json").read_text())["Voila"]
    hosts = ["localhost", *([host] if host else [])]
    tornado = {**base["tornado_settings"], "local_hostnames": hosts}
    private.make_folder(folder)
    config = {"Voila": {**base, "token": token.get_secret_value(), "tornado_settings": tornado}}
    private.write(folder / "voila.json", json.dumps(config))


def environment(base: Mapping[str, str], *, config: Path | None = None) -> dict[str, str]:
    """The environment for Voilà and JupyterLab: ``base`` plus the paths of the app's template and configuration.

    Args:
        base: The variables of this process.
        config: A folder with the configuration of this run, which overrides the app's own.

    The configuration holds what the command line cannot express:

    - JupyterLab does not ask on the first visit whether it may fetch news from the internet.
    - Voilà sends no WebSocket pings. Their timeout must not exceed their interval, and then the server drops every
      connection at the first ping; a click during the reconnection would be lost.
    - Voilà answers only to this machine's host names. By default it accepts any ``Host``, so a foreign page could
      resolve its own name to this machine and read the app (DNS rebinding).
    - Voilà serves no file of the notebook's folder.

    ``PATH`` starts with this environment's scripts, so a terminal in JupyterLab and a ``!`` cell find ``rtlib``.
    """
    scripts = Path(sys.executable).parent
    configs = [*([config] if config else []), SHARE / "config"]
    prefixes = {"JUPYTER_PATH": [SHARE], "JUPYTER_CONFIG_PATH": configs, "PATH": [scripts]}
    paths = {
        name: os.pathsep.join(filter(None, [*map(str, folders), base.get(name)])) for name, folders in prefixes.items()
    }
    return {**base, **paths}
