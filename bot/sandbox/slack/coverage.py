"""Which installation a person meets, and whom and what a token reaches."""

from bot.sandbox.slack.installations import Installation, Installations
from bot.sandbox.slack.people import Person
from bot.sandbox.slack.workspace import Workspace


class Coverage:
    """Brings people and conversations together with installations."""

    def __init__(self, installations: Installations, workspace: Workspace) -> None:
        self._installations = installations
        self._workspace = workspace

    def serving(self, person: Person, conversation: str | None = None) -> Installation | None:
        """The installation through which a person uses the app.

        It is that of their own workspace. Somebody of another company meets the home team's over
        Slack Connect, in a conversation that they share with it.
        """
        own = self._installations.of_team(person.team_id)
        if own is not None:
            return own
        cast = self._workspace.cast
        home = self._installations.of_team(cast.home_team.id)
        enterprise = cast.team(person.team_id).enterprise
        if home is None or (enterprise is not None and enterprise == home.enterprise):
            return None
        return home if conversation is None or self.sees(home, conversation) else None

    def reaches(self, installation: Installation, person: Person) -> bool:
        """Whether the token may write to a person."""
        return person.team_id in installation.team_ids or self.serving(person) == installation

    def sees(self, installation: Installation, conversation: str) -> bool:
        """Whether a conversation is one of the installation's workspaces, or shared with them."""
        owner = self._workspace.owner(conversation)
        if owner is not None:
            person = self._workspace.cast.person(owner)
            return person is not None and self.reaches(installation, person)
        members = self._workspace.viewers(conversation)
        return any(self._is_of(installation, member) for member in members)

    def knows(self, installation: Installation, person: Person) -> bool:
        """Whether the token may look a person up: one of its own, or met in a channel."""
        return self.reaches(installation, person) or any(
            self.sees(installation, conversation)
            for conversation in self._workspace.conversations(person.id)
        )

    def _is_of(self, installation: Installation, user: str) -> bool:
        person = self._workspace.cast.person(user)
        return person is not None and person.team_id in installation.team_ids
