"""Address: where the local receiver listens, and the secret that its addresses contain."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class ReceiverAddress:
    """The receiver's addresses. Sending a card needs the secret; reading the cards needs a key derived from it.

    The secret cannot be computed from the key, so the address of the page does not allow anyone to send a card.

    Attributes:
        base: Scheme, host and port, without a trailing slash.
        secret: The receiver's secret.
    """

    base: str
    secret: SecretStr

    @property
    def webhook(self) -> SecretStr:
        """The address for sending cards, secret like the URL of a Teams webhook: it allows writing to the channel."""
        return SecretStr(f"{self.base}/webhook/{self.secret.get_secret_value()}")

    @property
    def page(self) -> SecretStr:
        """The page for people; it keeps the key as a cookie and shows an address without the key."""
        return SecretStr(f"{self.base}/view/{reading_key(self.secret)}/")

    @property
    def cards(self) -> str:
        """The cards as JSON, for a request with ``headers``."""
        return f"{self.base}/cards"

    def headers(self) -> dict[str, str]:
        """The headers of a request for ``cards``; a key in the address would appear in errors and logs."""
        return {"Authorization": f"Bearer {reading_key(self.secret)}"}


def reading_key(secret: SecretStr) -> str:
    """The key that allows reading the cards, and nothing else."""
    digest = hmac.digest(secret.get_secret_value().encode(), b"read the cards", "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
