"""Receiver: the local stand-in for Teams as a supervised process, and its address."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rtlib import private
from rtlib.alerts.address import ReceiverAddress
from rtlib.config import Settings

if TYPE_CHECKING:
    import uvicorn


def receiver_address(settings: Settings) -> ReceiverAddress:
    """The address of this stack's receiver, with the secret of this start.

    Raises:
        ServiceError: No stack with this state folder is running.
    """
    port = settings.local_port("receiver")
    return ReceiverAddress(f"http://127.0.0.1:{port}", settings.local_secret("receiver"))


def run_receiver(settings: Settings, stop: threading.Event) -> None:
    """Run the local receiver until ``stop`` is set."""
    import uvicorn

    from rtlib.alerts.receiver import Receiver
    from rtlib.alerts.receiver_web import web_app

    folder = private.make_folder(settings.home / "receiver")
    app = web_app(Receiver(folder / "cards.jsonl"), settings.local_secret("receiver"))
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=settings.ports["receiver"],
        log_level="warning",
        access_log=False,  # request addresses hold the secret
        proxy_headers=False,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    threading.Thread(target=_exit_with, args=(server, stop), daemon=True).start()
    server.run()


def _exit_with(server: uvicorn.Server, stop: threading.Event) -> None:
    stop.wait()
    server.should_exit = True
