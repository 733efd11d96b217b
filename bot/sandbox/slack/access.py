"""Access rules: the installation a person uses, and the people and conversations a token reaches."""

from bot.sandbox.slack.directory import Person
from bot.sandbox.slack.installations import Installation, Installations
from bot.sandbox.slack.workspace import Workspace


class Access:
    """Decide which installation serves a person, and what an installation may access."""

    def __init__(self, installations: Installations, workspace: Workspace) -> None:
        self._installations = installations
        self._workspace = workspace

    def installation_for(self, person: Person, conversation: str | None = None) -> Installation | None:
        """Return the installation through which a person uses the app.

        This is the installation of the person's own workspace. A person of another company uses the
        installation of the home team, in a conversation shared over Slack Connect.
        """
        own = self._installations.of_team(person.team_id)
        if own is not None:
            return own
        directory = self._workspace.directory
        home = self._installations.of_team(directory.home_team.id)
        enterprise = directory.team(person.team_id).enterprise
        if home is None or (enterprise is not None and enterprise == home.enterprise):
            return None
        return home if conversation is None or self.can_see(home, conversation) else None

    def can_message(self, installation: Installation, person: Person) -> bool:
        """Return whether the installation may send a message to the person."""
        return person.team_id in installation.team_ids or self.installation_for(person) == installation

    def can_see(self, installation: Installation, conversation: str) -> bool:
        """Return whether the conversation is in, or shared with, a workspace of the installation."""
        owner = self._workspace.owner(conversation)
        if owner is not None:
            person = self._workspace.directory.person(owner)
            return person is not None and self.can_message(installation, person)
        channel = self._workspace.channel(conversation)
        if channel is not None and channel.private and not channel.has_app:
            return False
        members = self._workspace.viewers(conversation)
        return any(self._is_of(installation, member) for member in members)

    def can_look_up(self, installation: Installation, person: Person) -> bool:
        """Return whether the installation may look up the person.

        It may look up people of its own workspaces and people in the channels that it can see.
        """
        return self.can_message(installation, person) or any(
            self.can_see(installation, conversation)
            for conversation in self._workspace.conversations(person.id)
        )

    def _is_of(self, installation: Installation, user: str) -> bool:
        person = self._workspace.directory.person(user)
        return person is not None and person.team_id in installation.team_ids
