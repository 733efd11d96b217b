"""The OAuth routes: device codes and tokens (RFC 6749, RFC 8628, docs/portal.md, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.portal.pipeline import respond_with_fault
from bot.sandbox.portal.refusals import TokenRefusalError
from bot.sandbox.portal.scenarios import scenario_of
from bot.sandbox.portal.wire import ExactJSONResponse, RepeatedFieldError, strict_form_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.accounts import Accounts
    from bot.sandbox.portal.sign_in import AccessToken, Session

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_REFRESH_HEADER = "x-nous-refresh-token"
_NOT_STORED = {"Cache-Control": "no-store"}


async def start_device_grant(accounts: Accounts, request: Request) -> Response:
    """Answer `POST /api/oauth/device/code`."""
    form = await _form(request)
    client_id = _client_id(form)
    grant = accounts.sign_in.start(client_id, form.get("scope", ""))
    page = f"{accounts.public_url}/device"
    return ExactJSONResponse(
        {
            "device_code": grant.device_code,
            "user_code": grant.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={grant.user_code}",
            "expires_in": accounts.sign_in.code_seconds,
            "interval": grant.interval,
        },
        headers=_NOT_STORED,
    )


async def give_token(accounts: Accounts, request: Request) -> Response:
    """Answer `POST /api/oauth/token`: a poll of the device grant, or a refresh."""
    form = await _form(request)
    grant_type = form.get("grant_type")
    if grant_type == DEVICE_GRANT:
        session, access = accounts.sign_in.redeem(_client_id(form), form.get("device_code", ""))
        return _tokens(accounts, session, access, inference_base_url="https://inference.example/v1")
    if grant_type == "refresh_token":
        return await _refresh(accounts, request, form)
    raise TokenRefusalError("unsupported_grant_type", "This grant type is not supported.")


async def _refresh(accounts: Accounts, request: Request, form: dict[str, str]) -> Response:
    shown = request.headers.get(_REFRESH_HEADER, "")
    if not shown:
        raise TokenRefusalError("invalid_request", f"Send the token in the {_REFRESH_HEADER} header.")
    if "refresh_token" in form:
        raise TokenRefusalError("invalid_request", "A refresh token must not be in the body.")
    client_id = _client_id(form)

    async def work() -> Response:
        return _tokens(accounts, *accounts.sign_in.refresh(client_id, shown))

    person = accounts.sign_in.person_of_refresh(shown)
    fault = None
    if person is not None:
        fault = scenario_of(accounts.organization_of(person)).refresh
    return await respond_with_fault(accounts, fault, request, work)


async def _form(request: Request) -> dict[str, str]:
    try:
        return await strict_form_of(request)
    except RepeatedFieldError as error:
        raise TokenRefusalError("invalid_request", f"Send {error.name} once.") from None


def _client_id(form: dict[str, str]) -> str:
    client_id = form.get("client_id", "").strip()
    if not client_id:
        raise TokenRefusalError("invalid_client", "client_id is missing.", status=401)
    return client_id


def _tokens(accounts: Accounts, session: Session, access: AccessToken, **facts: str) -> Response:
    return ExactJSONResponse(
        {
            "access_token": access.text,
            "refresh_token": session.refresh_token,
            "token_type": "Bearer",
            "expires_in": max(0, int(access.expires_at - accounts.now())),
            "scope": " ".join(session.scope),
            **facts,
        },
        headers=_NOT_STORED,
    )
