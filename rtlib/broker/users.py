"""Users: the user of the local Kafka broker on a shared machine."""

from __future__ import annotations

from rtlib.broker.client import broker_options
from rtlib.broker.errors import broker_errors
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.run_state import LOCAL_USER


def ensure_user(settings: Settings) -> None:
    """Set the user's password at the local broker to the secret of this start; no-op without a sign-in.

    Kafka keeps SCRAM users in its metadata, so the broker still has the password of an earlier start, or no user.

    Raises:
        ServiceError: The broker does not answer, or refuses.
    """
    if not settings.local_sign_in:
        return
    from kafka import KafkaAdminClient
    from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

    password = settings.local_secret("kafka").get_secret_value().encode()
    user = UserScramCredentialUpsertion(LOCAL_USER, ScramMechanism.SCRAM_SHA_512, password)
    with broker_errors(settings), KafkaAdminClient(**broker_options(settings)) as admin:
        refused = admin.alter_user_scram_credentials([user])[LOCAL_USER]
    if refused:
        raise ServiceError(f"the broker did not accept the user {LOCAL_USER}: {refused}", cure="rtlib logs broker")
