"""Who and what stands in the workspace when it opens: teams, people, channels, the app."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Enterprise:
    """An Enterprise Grid organisation, which holds several workspaces."""

    id: str
    name: str

    @property
    def domain(self) -> str:
        """The organisation's own address is `https://<domain>.slack.com/`."""
        return f"{self.id.lower()}.enterprise"


@dataclass(frozen=True, kw_only=True)
class Team:
    """A Slack workspace; on Enterprise Grid, one of its organisation's."""

    id: str
    name: str
    domain: str
    enterprise: Enterprise | None = None


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone to act as."""

    id: str
    name: str
    real_name: str
    title: str = ""
    team_id: str = "T0ACME"
    tz: str = "Europe/London"
    color: str = "4a6fa5"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel, who is in it, and whether the app was invited."""

    id: str
    name: str
    members: frozenset[str]
    has_app: bool = True
    shared: bool = False
    archived: bool = False


@dataclass(frozen=True, kw_only=True)
class SlashCommand:
    """A slash command of the app, as its manifest describes it."""

    command: str
    usage_hint: str
    description: str


@dataclass(frozen=True, kw_only=True)
class SlackApp:
    """The app under test: its ids, and what its manifest says.

    Attributes:
        redirect_urls: Where an installation may send the browser back to.
        home_tab: Whether App Home can be published.
        messages_tab: Whether the app can write to people directly.
        interactive: Whether clicks and submissions reach the app.
        org_ready: Whether an organisation can install it for all its workspaces.
        socket_mode: Whether it is reached over WebSockets instead of HTTP.
    """

    id: str = "A0BILLING"
    name: str = "Billing"
    bot_id: str = "B0BILLING"
    bot_user_id: str = "U0BILLBOT"
    commands: tuple[SlashCommand, ...] = (
        SlashCommand(
            command="/billing",
            usage_hint="[help|buy|connect|auto-reload|limit|usage|subscription|history]",
            description="See and top up your balance",
        ),
    )
    scopes: frozenset[str] = frozenset({"commands", "chat:write", "im:history", "im:write"})
    events: frozenset[str] = frozenset({"app_home_opened"})
    redirect_urls: tuple[str, ...] = ()
    home_tab: bool = True
    messages_tab: bool = True
    interactive: bool = True
    org_ready: bool = False
    socket_mode: bool = False


ACME = Team(id="T0ACME", name="Acme Research", domain="acme-research")
OTHER = Team(id="T0OTHER", name="Other Labs", domain="other-labs")

ADA = Person(id="U0ADA", name="ada", real_name="Ada Lovelace", title="Research lead", color="8f4a7a")
GRACE = Person(
    id="U0GRACE",
    name="grace",
    real_name="Grace Hopper",
    title="Head of computing",
    tz="America/New_York",
    color="2f6f5e",
)
LINUS = Person(id="U0LINUS", name="linus", real_name="Linus", title="Engineer", tz="Europe/Helsinki")
STRANGER = Person(
    id="U0STRANGER",
    name="sam",
    real_name="Sam Stranger",
    title="Guest from Other Labs",
    team_id="T0OTHER",
    tz="Asia/Tokyo",
    color="9a5b2d",
)
_COLLEAGUES = frozenset({ADA.id, GRACE.id, LINUS.id})


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Everything that stands when the workspace opens; the first team is at home."""

    teams: tuple[Team, ...] = (ACME, OTHER)
    people: tuple[Person, ...] = (ADA, GRACE, LINUS, STRANGER)
    channels: tuple[Channel, ...] = (
        # The app was never invited here: commands work, chat.postMessage does not.
        Channel(id="C0GENERAL", name="general", members=_COLLEAGUES, has_app=False),
        Channel(id="C0BILLING", name="billing", members=_COLLEAGUES),
        Channel(
            id="C0SHARED",
            name="shared-with-other",
            members=_COLLEAGUES | {STRANGER.id},
            shared=True,
        ),
    )
    app: SlackApp = SlackApp()

    @property
    def home_team(self) -> Team:
        """The workspace that the page shows, in which the app is installed at first."""
        return self.teams[0]

    def person(self, user: str) -> Person | None:
        """The person with this id, or None."""
        return next((one for one in self.people if one.id == user), None)

    def team(self, team_id: str) -> Team:
        """The team with this id; the home team when unknown."""
        return next((team for team in self.teams if team.id == team_id), self.home_team)

    def teams_of(self, enterprise: Enterprise) -> tuple[Team, ...]:
        """The workspaces of an organisation."""
        return tuple(team for team in self.teams if team.enterprise == enterprise)


_ORGANISATION = Enterprise(id="E0GRID", name="Grid Works")
_NORTH = Team(id="T0NORTH", name="Grid North", domain="grid-north", enterprise=_ORGANISATION)
_SOUTH = Team(id="T0SOUTH", name="Grid South", domain="grid-south", enterprise=_ORGANISATION)
_MARY = Person(
    id="W0MARY", name="mary", real_name="Mary Jackson", title="Engineer", team_id=_NORTH.id, color="8a4b2f"
)
_ALAN = Person(
    id="W0ALAN", name="alan", real_name="Alan Turing", title="Analyst", team_id=_NORTH.id, color="3f6a8a"
)
_KATE = Person(
    id="W0KATE", name="kate", real_name="Katherine Johnson", title="Lead", team_id=_SOUTH.id, color="6a3f8a"
)
_GRID_PEOPLE = frozenset({_MARY.id, _ALAN.id, _KATE.id})

GRID = Cast(
    teams=(_NORTH, _SOUTH, OTHER),
    people=(_MARY, _ALAN, _KATE, STRANGER),
    channels=(
        Channel(id="C0GENERAL", name="general", members=_GRID_PEOPLE, has_app=False),
        Channel(id="C0NORTH", name="north", members=frozenset({_MARY.id, _ALAN.id})),
        Channel(id="C0SOUTH", name="south", members=frozenset({_KATE.id})),
        Channel(id="C0SHARED", name="shared-with-other", members=_GRID_PEOPLE | {STRANGER.id}, shared=True),
    ),
    app=SlackApp(org_ready=True),
)
