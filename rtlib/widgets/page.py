"""Page: how Voilà serves the app: which command, with which template and limits. It needs nothing from elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

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


def command(notebook: Path, *, port: int, token: str = "", cull_seconds: int = 120) -> list[str]:
    """The command that serves a notebook on this machine alone.

    Args:
        notebook: What to serve; each visitor gets a kernel of their own.
        port: Where.
        token: What the address must carry; empty lets everybody on this machine in.
        cull_seconds: How long a kernel lives on after its page is gone.
    """
    options = {
        "Voila.ip": "127.0.0.1",
        "Voila.log_level": "ERROR",  # tracebacks of a notebook are errors: the developer sees them here
        "VoilaConfiguration.template": TEMPLATE,
        "VoilaConfiguration.allow_template_override": "NO",
        "VoilaConfiguration.extension_denylist": "jupyterlab-jupytext",  # it is for JupyterLab and fails here
        "VoilaExecutor.cell_error_instruction": INSTRUCTION,
        # A kernel whose page was closed is ended, also when the browser could not say that it was closed.
        "MappingKernelManager.cull_idle_timeout": str(cull_seconds),
        "MappingKernelManager.cull_interval": str(max(1, cull_seconds // 4)),
    }
    return [
        *(sys.executable, "-W", "ignore", "-m", "voila", str(notebook), f"--port={port}", "--no-browser"),
        *([f"--token={token}"] if token else []),
        *(f"--{name}={value}" for name, value in options.items()),
        *(f"--MappingKernelManager.untracked_message_types={one}" for one in NO_SIGN_OF_LIFE),
    ]


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment for Voilà and JupyterLab: ``base``, with the app's template and settings where they look.

    The settings hold what the command line cannot say: that JupyterLab does not ask a newcomer whether it may fetch
    news from elsewhere, and that Voilà sends no pings. Their time-out must not be longer than their interval, and then
    the server takes every connection for dead at its first ping: a click during the reconnection would be lost.
    A terminal in JupyterLab and a cell with ``!`` find ``rtlib``.
    """
    scripts = Path(sys.executable).parent
    places = {"JUPYTER_PATH": SHARE, "JUPYTER_CONFIG_PATH": SHARE / "config", "PATH": scripts}
    return {**base, **{name: os.pathsep.join(filter(None, [str(one), base.get(name)])) for name, one in places.items()}}
