"""Address: where the local receiver listens, and what its addresses must carry."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class ReceiverAddress:
    """The receiver's addresses. A card is taken at the address that holds the secret; to read needs a key made of it.

    The key cannot be turned back into the secret: a page's address that somebody saw lets nobody send a card.

    Attributes:
        base: Scheme, host and port, without a slash at the end.
        secret: What the receiver asks for.
    """

    base: str
    secret: SecretStr

    @property
    def webhook(self) -> SecretStr:
        """Where cards are sent, as the address of a Teams webhook: whoever knows it can write to the channel."""
        return SecretStr(f"{self.base}/webhook/{self.secret.get_secret_value()}")

    @property
    def page(self) -> SecretStr:
        """Where a person reads the cards; the page keeps the key as a cookie and shows an address without it."""
        return SecretStr(f"{self.base}/view/{reading_key(self.secret)}/")

    @property
    def cards(self) -> str:
        """Where a program reads the cards as JSON, with ``headers``."""
        return f"{self.base}/cards"

    def headers(self) -> dict[str, str]:
        """What a request for ``cards`` carries: a header, because an address is quoted by errors and logs."""
        return {"Authorization": f"Bearer {reading_key(self.secret)}"}


def reading_key(secret: SecretStr) -> str:
    """The key that lets its holder read the cards, and nothing else."""
    made = hmac.digest(secret.get_secret_value().encode(), b"read the cards", "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
