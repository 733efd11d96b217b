"""Sign-in: device codes, sessions, rotating refresh tokens (docs/portal.md, section 3).

DeviceCodeError          a user code is unknown, expired or used
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.sandbox.portal.refusals import RefusalError, TokenRefusalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bot.sandbox.portal.ids import Identifiers
    from bot.sandbox.portal.models import Person

BILLING_SCOPE = "billing:manage"
LOGIN_SCOPES = ("inference:invoke",)
KNOWN_SCOPES = ("inference:invoke", "tool:invoke", BILLING_SCOPE)
"""A first login no longer requests `tool:invoke`. Older grants still have it."""

ACCESS_SECONDS = 900
SESSION_SECONDS = 30 * 86_400
DEVICE_CODE_SECONDS = 900
DEVICE_INTERVAL_SECONDS = 2
_JITTER_SECONDS = 0.2


class DeviceCodeError(ValueError):
    """A user code cannot be approved or denied. `reason` is `unknown`, `expired` or `used`."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"this code is {reason}")
        self.reason = reason


@dataclass(kw_only=True, slots=True)
class DeviceGrant:
    """One device authorization grant. Times are Unix seconds.

    Attributes:
        interval: The minimum seconds between two polls, as sent to the client.
        approved_at: The time of the approval.
    """

    device_code: str
    user_code: str
    client_id: str
    scope: tuple[str, ...]
    expires_at: float
    interval: int
    polled_at: float | None = None
    answer: str = "pending"
    person: str | None = None
    billing: bool = False
    approved_at: float = 0


@dataclass(kw_only=True, slots=True)
class Session:
    """One login of one person. Only the newest refresh token is valid.

    Attributes:
        began_at: When the session was opened, in Unix seconds.
        ends_at: The end of the session in Unix seconds. A refresh does not extend it.
        spending_revoked_by: `self`, `admin`, or None while spending is not revoked.
    """

    id: str
    person: str
    client_id: str
    scope: tuple[str, ...]
    refresh_token: str
    began_at: float
    ends_at: float
    ended: bool = False
    spending_revoked: bool = False
    spending_revoked_by: str | None = None

    @property
    def may_manage_billing(self) -> bool:
        """Return whether the session has the scope `billing:manage`."""
        return BILLING_SCOPE in self.scope


@dataclass(kw_only=True, slots=True)
class AccessToken:
    """A bearer token and its session."""

    text: str
    session: Session
    expires_at: float


@dataclass(kw_only=True, slots=True)
class SignIn:
    """Issue and check device codes, sessions and tokens."""

    now: Callable[[], float]
    ids: Identifiers
    people: Mapping[str, Person]
    claims_of: Callable[[Person], Mapping[str, object]]
    interval: int = DEVICE_INTERVAL_SECONDS
    code_seconds: int = DEVICE_CODE_SECONDS
    access_seconds: int = ACCESS_SECONDS
    session_seconds: int = SESSION_SECONDS
    sessions: list[Session] = field(default_factory=list)
    _grants: dict[str, DeviceGrant] = field(default_factory=dict)
    _access: dict[str, AccessToken] = field(default_factory=dict)
    _refresh: dict[str, Session] = field(default_factory=dict)

    def start(self, client_id: str, scope: str) -> DeviceGrant:
        """Start a device grant. An empty scope means the scope of a first login.

        Raises:
            TokenRefusalError: `invalid_scope`, when the scope has an unknown token.
        """
        asked = scope.split()
        if not set(asked) <= set(KNOWN_SCOPES):
            raise TokenRefusalError("invalid_scope", "This client cannot have a scope it asks for.")
        grant = DeviceGrant(
            device_code=self.ids.opaque("dc_", 40),
            user_code=self.ids.user_code(),
            client_id=client_id,
            scope=tuple(dict.fromkeys(asked)) or LOGIN_SCOPES,
            expires_at=self.now() + self.code_seconds,
            interval=self.interval,
        )
        self._grants[grant.device_code] = grant
        return grant

    def pending_grant(self, user_code: str) -> DeviceGrant:
        """Return the pending grant with this user code.

        Raises:
            DeviceCodeError: The code is unknown, expired or used.
        """
        typed = "".join(sign for sign in user_code.upper() if sign.isalnum())
        for grant in self._grants.values():
            if grant.user_code.replace("-", "") != typed:
                continue
            if grant.answer != "pending":
                raise DeviceCodeError("used")
            if self.now() >= grant.expires_at:
                raise DeviceCodeError("expired")
            return grant
        raise DeviceCodeError("unknown")

    def approve(self, user_code: str, person: str, *, billing: bool) -> DeviceGrant:
        """Approve the grant as the person, with or without the billing permission.

        Raises:
            DeviceCodeError: The code is unknown, expired or used.
            KeyError: No person has the key.
        """
        grant = self.pending_grant(user_code)
        grant.person = self.people[person].key
        grant.billing = billing
        grant.approved_at = self.now()
        grant.answer = "approved"
        return grant

    def deny(self, user_code: str) -> DeviceGrant:
        """Deny the grant.

        Raises:
            DeviceCodeError: The code is unknown, expired or used.
        """
        grant = self.pending_grant(user_code)
        grant.answer = "denied"
        return grant

    def redeem(self, client_id: str, device_code: str) -> tuple[Session, AccessToken]:
        """Exchange an approved device code for a session. A code can be exchanged once.

        Raises:
            TokenRefusalError: The code is pending, polled too fast, expired, denied, used or unknown.
        """
        grant = self._grants.get(device_code)
        if grant is None or grant.client_id != client_id or grant.answer == "redeemed":
            raise TokenRefusalError("invalid_grant", "This device code is not valid.")
        if self.now() >= grant.expires_at:
            raise TokenRefusalError("expired_token", "This device code has expired.")
        if grant.answer == "denied":
            raise TokenRefusalError("access_denied", "The request was denied.")
        if grant.answer == "pending":
            raise self._not_yet(grant)
        grant.answer = "redeemed"
        person = self.people[grant.person or ""]
        scope = _granted(grant.scope, person, billing=grant.billing)
        return self.open_session(person, scope, client_id, approved_at=grant.approved_at)

    def _not_yet(self, grant: DeviceGrant) -> TokenRefusalError:
        """Return `authorization_pending`, or `slow_down` for a poll within the interval.

        RFC 8628, section 3.5, asks the client to add five seconds after `slow_down`. The sandbox
        keeps enforcing the original interval, so that a client that adds less also succeeds.
        """
        now, polled_at, grant.polled_at = self.now(), grant.polled_at, self.now()
        if polled_at is not None and now - polled_at < grant.interval - _JITTER_SECONDS:
            return TokenRefusalError("slow_down", f"Poll every {grant.interval} seconds at most.")
        return TokenRefusalError("authorization_pending", "The request is not approved yet.")

    def open_session(
        self,
        person: Person,
        scope: Iterable[str],
        client_id: str,
        seconds: float | None = None,
        approved_at: float | None = None,
    ) -> tuple[Session, AccessToken]:
        """Open a session and return it with an access token, which expires after `seconds`.

        The session ends 30 days after `approved_at`, in Unix seconds. None means now.
        """
        began = self.now() if approved_at is None else approved_at
        session = Session(
            id=self.ids.opaque("ses_"),
            person=person.key,
            client_id=client_id,
            scope=tuple(scope),
            refresh_token=self.ids.opaque("rt_", 40),
            began_at=self.now(),
            ends_at=began + self.session_seconds,
        )
        self.sessions.append(session)
        self._refresh[session.refresh_token] = session
        return session, self._access_token(session, seconds)

    def refresh(self, client_id: str, refresh_token: str) -> tuple[Session, AccessToken]:
        """Rotate the refresh token and return the session with a new access token.

        The reuse of an old refresh token ends the session.

        Raises:
            TokenRefusalError: The token is unknown, of another client, of an ended session, or reused.
        """
        session = self._refresh.get(refresh_token)
        if session is None or session.client_id != client_id:
            raise TokenRefusalError("invalid_grant", "This refresh token is not valid.")
        if session.refresh_token != refresh_token:
            session.ended = True
            raise TokenRefusalError(
                "refresh_token_reused",
                "Refresh token reuse detected. The session was closed; please log in again.",
            )
        if session.ended:
            raise TokenRefusalError("invalid_grant", "This session was logged out.")
        if self.now() >= session.ends_at:
            raise TokenRefusalError("invalid_grant", "This session is over. Please log in again.")
        session.refresh_token = self.ids.opaque("rt_", 40)
        self._refresh[session.refresh_token] = session
        person = self.people[session.person]
        session.scope = _granted(session.scope, person, billing=True)
        return session, self._access_token(session)

    def bearer(self, text: str) -> AccessToken:
        """Return the access token with this text.

        Raises:
            RefusalError: `session_revoked` or `unauthorized`.
        """
        token = self._access.get(text)
        if token is None:
            raise RefusalError.of("unauthorized")
        if token.session.ended:
            raise RefusalError.of("session_revoked")
        if self.now() >= min(token.expires_at, token.session.ends_at):
            raise RefusalError.of("unauthorized", message="Your access token has expired.")
        return token

    def person_of_refresh(self, refresh_token: str) -> Person | None:
        """Return the person of a current or former refresh token, or None."""
        session = self._refresh.get(refresh_token)
        return None if session is None else self.people[session.person]

    def sessions_of(self, person: str) -> list[Session]:
        """Return the person's sessions, including ended ones."""
        return [session for session in self.sessions if session.person == person]

    def forget(self) -> None:
        """Forget every device code, session and token."""
        self.sessions.clear()
        for kept in (self._grants, self._access, self._refresh):
            kept.clear()

    def expire_access_tokens(self) -> None:
        """Expire every issued access token."""
        for token in self._access.values():
            token.expires_at = min(token.expires_at, self.now())

    def _access_token(self, session: Session, seconds: float | None = None) -> AccessToken:
        person = self.people[session.person]
        now = self.now()
        lifetime = self.access_seconds if seconds is None else seconds
        expires_at = min(now + lifetime, session.ends_at)
        claims = {
            **self.claims_of(person),
            "sub": person.account,
            "client_id": session.client_id,
            "scope": " ".join(session.scope),
            "sid": session.id,
            "jti": self.ids.opaque("", 16),
            "iat": int(now),
            "exp": int(expires_at),
        }
        token = AccessToken(text=self.ids.signed(claims), session=session, expires_at=expires_at)
        self._access[token.text] = token
        return token


def _granted(scope: Iterable[str], person: Person, *, billing: bool) -> tuple[str, ...]:
    """Return the granted scope. `billing:manage` requires the approval of a person who may spend."""
    allowed = billing and person.may_change_plan
    return tuple(each for each in scope if each != BILLING_SCOPE or allowed)
