"""The requests to the app: sent, recorded and shown in the inspector."""

from collections.abc import Mapping

from bot.sandbox.slack.delivery import Ack, AppRequest, Delivery, Sender
from bot.sandbox.slack.inspector import Inspector
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.socket_mode import SocketMode


class Deliveries:
    """Send requests to the app. `kept` has every delivery, oldest first."""

    def __init__(
        self, sender: Sender, socket_mode: SocketMode, inspector: Inspector, settings: Settings
    ) -> None:
        self._sender = sender
        self._socket_mode = socket_mode
        self._inspector = inspector
        self._settings = settings
        self.kept: list[Delivery] = []

    async def send(self, request: AppRequest) -> Ack:
        """Send a request and wait for the acknowledgement until the deadline."""
        if self._settings.socket_mode:
            return await self._socket_mode.send(request)
        return await self._sender.send(request)

    async def send_raw(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Send bytes and headers unchanged over HTTP, without a signature."""
        ack = await self._sender.post(body, headers)
        text = body.decode(errors="replace")
        request = AppRequest(kind="raw", name="raw", user=None, body={}, raw=text, content_type="")
        return self.keep(request, ack, failure=ack.failure)

    def keep(
        self,
        request: AppRequest,
        ack: Ack,
        error: str | None = None,
        *,
        errors: Mapping[str, str] | None = None,
        failure: str | None = None,
    ) -> Delivery:
        """Record a request and its acknowledgement.

        Args:
            request: The request.
            ack: The acknowledgement.
            error: The error that the person sees.
            errors: The errors in the modal, by block_id.
            failure: The reason of a failure.
        """
        delivery = Delivery(
            kind=request.kind,
            name=request.name,
            user=request.user,
            status=ack.status,
            ack_ms=ack.ms,
            body=request.body,
            raw_body=request.raw,
            response=ack.parsed,
            error=error,
            errors=errors or {},
            failure=failure,
            via=ack.via,
        )
        self.kept.append(delivery)
        self._inspector.record(
            {
                "at": self._settings.now(),
                "direction": "to_app",
                "kind": "event" if request.kind == "raw" else request.kind,
                "name": request.name,
                "user": request.user,
                "ok": failure is None,
                "status": ack.status,
                "ms": ack.ms,
                "request": request.body or request.raw,
                "response": ack.parsed,
            },
            error=failure,
        )
        return delivery
