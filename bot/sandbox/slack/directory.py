"""The initial contents of the sandbox: teams, people, channels and the app."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Enterprise:
    """An Enterprise Grid organization, which holds several workspaces."""

    id: str
    name: str

    @property
    def domain(self) -> str:
        """Return the subdomain in the organization's URL, `https://<domain>.slack.com/`."""
        return f"{self.id.lower()}.enterprise"


@dataclass(frozen=True, kw_only=True)
class Team:
    """A Slack workspace. On Enterprise Grid it belongs to an organization."""

    id: str
    name: str
    domain: str
    enterprise: Enterprise | None = None


@dataclass(frozen=True, kw_only=True)
class Person:
    """A member of a workspace."""

    id: str
    name: str
    real_name: str
    title: str = ""
    email: str | None = None
    team_id: str = "T0ACME"
    tz: str = "Europe/London"
    color: str = "4a6fa5"
    is_guest: bool = False


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel, its members, and whether the app is a member.

    Attributes:
        private: Whether only members see it.
        shared: Whether it is shared with another company.
        pending: Whether another company was invited to share it.
    """

    id: str
    name: str
    members: frozenset[str]
    has_app: bool = True
    shared: bool = False
    archived: bool = False
    private: bool = False
    pending: bool = False


@dataclass(frozen=True, kw_only=True)
class UserGroup:
    """A user group of a workspace, which a paid plan has."""

    id: str
    handle: str
    name: str
    members: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class SlashCommand:
    """A slash command of the app, as its manifest describes it."""

    command: str
    usage_hint: str
    description: str


@dataclass(frozen=True, kw_only=True)
class SlackApp:
    """The app under test: its ids and the contents of its manifest.

    Attributes:
        description: One sentence about the app, for its About tab.
        redirect_urls: The registered redirect URIs of an installation.
        home_tab: Whether the app can publish App Home.
        messages_tab: Whether the app can send direct messages.
        read_only: Whether people cannot write in the app's direct message.
        interactive: Whether clicks and submissions are sent to the app.
        org_ready: Whether an organization can install the app for all its workspaces.
        socket_mode: Whether requests go over WebSockets instead of HTTP.
    """

    id: str = "A0BILLING"
    name: str = "Billing"
    description: str = ""
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
    read_only: bool = False
    interactive: bool = True
    org_ready: bool = False
    socket_mode: bool = False


ACME = Team(id="T0ACME", name="Acme Research", domain="acme-research")
OTHER = Team(id="T0OTHER", name="Other Labs", domain="other-labs")

ADA = Person(
    id="U0ADA",
    name="ada",
    real_name="Ada Lovelace",
    title="Research lead",
    email="Ada@acme.example",
    color="8f4a7a",
)
GRACE = Person(
    id="U0GRACE",
    name="grace",
    real_name="Grace Hopper",
    email="grace@acme.example",
    title="Head of computing",
    tz="America/New_York",
    color="2f6f5e",
)
LINUS = Person(id="U0LINUS", name="linus", real_name="Linus", title="Engineer", tz="Europe/Helsinki")
OMAR = Person(
    id="U0OMAR", name="omar", real_name="Omar Haddad", title="Intern", tz="Asia/Dubai", color="8a5a2b"
)
SASHA = Person(
    id="U0SASHA", name="sasha", real_name="Sasha Okoye", title="Security", tz="Africa/Lagos", color="5a3f8a"
)
STRANGER = Person(
    id="U0STRANGER",
    name="sam",
    real_name="Sam Stranger",
    title="Guest from Other Labs",
    team_id="T0OTHER",
    tz="Asia/Tokyo",
    color="9a5b2d",
)
_COLLEAGUES = frozenset({ADA.id, GRACE.id, LINUS.id, OMAR.id, SASHA.id})


@dataclass(frozen=True, kw_only=True)
class Directory:
    """The teams, people, channels and app of a sandbox. The first team is the home team."""

    teams: tuple[Team, ...] = (ACME, OTHER)
    people: tuple[Person, ...] = (ADA, GRACE, LINUS, OMAR, SASHA, STRANGER)
    channels: tuple[Channel, ...] = (
        # The app is not a member: commands work, chat.postMessage does not.
        Channel(id="C0GENERAL", name="general", members=_COLLEAGUES, has_app=False),
        Channel(id="C0BILLING", name="billing", members=_COLLEAGUES),
        Channel(
            id="C0SHARED",
            name="shared-with-other",
            members=_COLLEAGUES | {STRANGER.id},
            shared=True,
        ),
        Channel(id="C0SPEND", name="spend-approvers", members=frozenset({ADA.id, GRACE.id}), private=True),
    )
    groups: tuple[UserGroup, ...] = (
        UserGroup(id="S0FINANCE", handle="finance", name="Finance", members=frozenset({GRACE.id})),
    )
    app: SlackApp = SlackApp()

    @property
    def home_team(self) -> Team:
        """Return the workspace that the page shows and in which the app is installed at the start."""
        return self.teams[0]

    def person(self, user: str) -> Person | None:
        """Return the person with this id, or None."""
        return next((one for one in self.people if one.id == user), None)

    def team(self, team_id: str) -> Team:
        """Return the team with this id, or the home team when the id is unknown."""
        return next((team for team in self.teams if team.id == team_id), self.home_team)

    def teams_of(self, enterprise: Enterprise) -> tuple[Team, ...]:
        """Return the workspaces of an organization."""
        return tuple(team for team in self.teams if team.enterprise == enterprise)


_ORGANIZATION = Enterprise(id="E0GRID", name="Grid Works")
_NORTH = Team(id="T0NORTH", name="Grid North", domain="grid-north", enterprise=_ORGANIZATION)
_SOUTH = Team(id="T0SOUTH", name="Grid South", domain="grid-south", enterprise=_ORGANIZATION)
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

GRID = Directory(
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
