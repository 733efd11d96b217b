"""Everything that went to the app: sent, recorded and shown to the inspector."""

from collections.abc import Mapping

from bot.sandbox.slack.delivery import Ack, Courier, Delivery, Parcel
from bot.sandbox.slack.inspector import Inspector
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.wiring import Wiring


class Deliveries:
    """Sends parcels; `kept` has every one of them, oldest first."""

    def __init__(
        self, courier: Courier, socket_mode: SocketMode, inspector: Inspector, wiring: Wiring
    ) -> None:
        self._courier = courier
        self._socket_mode = socket_mode
        self._inspector = inspector
        self._wiring = wiring
        self.kept: list[Delivery] = []

    async def send(self, parcel: Parcel) -> Ack:
        """Sends a parcel and waits for the acknowledgement, at most until the deadline."""
        if self._wiring.socket_mode:
            return await self._socket_mode.send(parcel)
        return await self._courier.send(parcel)

    async def send_raw(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Sends bytes and headers as they are over HTTP, without signing them."""
        ack = await self._courier.post(body, headers)
        text = body.decode(errors="replace")
        parcel = Parcel(kind="raw", name="raw", user=None, body={}, raw=text, content_type="")
        return self.keep(parcel, ack, failure=ack.failure)

    def keep(
        self,
        parcel: Parcel,
        ack: Ack,
        error: str | None = None,
        *,
        errors: Mapping[str, str] | None = None,
        failure: str | None = None,
    ) -> Delivery:
        """Records what became of a parcel.

        Args:
            parcel: What was sent.
            ack: What came back.
            error: What the person is told.
            errors: Complaints in the modal, by block_id.
            failure: Why it counts as failed.
        """
        delivery = Delivery(
            kind=parcel.kind,
            name=parcel.name,
            user=parcel.user,
            status=ack.status,
            ack_ms=ack.ms,
            body=parcel.body,
            raw_body=parcel.raw,
            response=ack.parsed,
            error=error,
            errors=errors or {},
            failure=failure,
            via=ack.via,
        )
        self.kept.append(delivery)
        self._inspector.record(
            {
                "at": self._wiring.now(),
                "direction": "to_app",
                "kind": "event" if parcel.kind == "raw" else parcel.kind,
                "name": parcel.name,
                "user": parcel.user,
                "ok": failure is None,
                "status": ack.status,
                "ms": ack.ms,
                "request": parcel.body or parcel.raw,
                "response": ack.parsed,
            },
            error=failure,
        )
        return delivery
