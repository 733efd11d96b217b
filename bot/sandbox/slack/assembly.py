"""The construction of the sandbox from its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette

from bot.sandbox.slack.access import Access
from bot.sandbox.slack.acks import Acks
from bot.sandbox.slack.administration import Administration
from bot.sandbox.slack.authorize_page import AuthorizePage
from bot.sandbox.slack.chat_methods import ChatMethods
from bot.sandbox.slack.conversation_methods import ConversationMethods
from bot.sandbox.slack.deliveries import Deliveries
from bot.sandbox.slack.delivery import Sender
from bot.sandbox.slack.directory import Directory
from bot.sandbox.slack.event_delivery import EventDelivery
from bot.sandbox.slack.faults import Faults
from bot.sandbox.slack.feed import Feed
from bot.sandbox.slack.file_methods import FileMethods
from bot.sandbox.slack.inspector import Inspector
from bot.sandbox.slack.installations import Installations
from bot.sandbox.slack.interactions import InteractionContext, Interactions
from bot.sandbox.slack.messages import Report
from bot.sandbox.slack.oauth import AuthorizationServer
from bot.sandbox.slack.page_api import PageOptions, PageRoutes
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.server import SlackRoutes
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.surfaces import Visible
from bot.sandbox.slack.usergroup_methods import UserGroupMethods
from bot.sandbox.slack.view_methods import ViewMethods
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.web_api import WebApi
from bot.sandbox.slack.workspace import IdSequence, MessageClock, Workspace


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of the sandbox."""

    settings: Settings
    page_options: PageOptions
    faults: Faults
    workspace: Workspace
    views: Views
    feed: Feed
    visible: Visible
    inspector: Inspector
    installations: Installations
    sender: Sender
    socket_mode: SocketMode
    deliveries: Deliveries
    events: EventDelivery
    interactions: Interactions
    administration: Administration
    authorization: AuthorizationServer
    slack_routes: SlackRoutes
    files: FileMethods

    async def aclose(self) -> None:
        """End streams and WebSockets, cancel pending retries and close the HTTP session."""
        self.feed.close()
        await self.events.stop()
        await self.socket_mode.close()
        await self.sender.close()


def assemble(directory: Directory, settings: Settings, page_options: PageOptions, report: Report) -> Parts:
    """Create the parts. `report` is called for each limit that the app breaks."""
    clock, ids = MessageClock(settings.now), IdSequence()
    workspace, views = Workspace(directory, clock, ids), Views(directory, clock, ids, settings.now)
    feed, visible = Feed(workspace, views), Visible(workspace, views)
    inspector, sender, faults = Inspector(feed), Sender(settings), Faults()
    installations = Installations(directory)
    access = Access(installations, workspace)
    response_urls = ResponseUrls(workspace, feed, report, settings)
    socket_mode = SocketMode(directory.app.id, feed, settings)
    deliveries = Deliveries(sender, socket_mode, inspector, settings)
    events = EventDelivery(deliveries, workspace, installations, settings)
    context = InteractionContext(
        workspace=workspace,
        views=views,
        feed=feed,
        visible=visible,
        acks=Acks(views, response_urls, report),
        response_urls=response_urls,
        installations=installations,
        access=access,
        deliveries=deliveries,
        events=events,
        settings=settings,
    )
    authorization = AuthorizationServer(installations, workspace, settings)
    files = FileMethods(workspace, access, feed, settings)
    methods = {
        **ConversationMethods(workspace, access).methods(),
        **UserGroupMethods(workspace).methods(),
        **ChatMethods(workspace, access, feed, report).methods(),
        **files.methods(),
        **ViewMethods(workspace, access, views, feed, report).methods(),
    }
    open_methods = {**authorization.methods(), **socket_mode.methods()}
    web_api = WebApi(methods, open_methods, installations, workspace, settings)
    return Parts(
        settings=settings,
        page_options=page_options,
        faults=faults,
        workspace=workspace,
        views=views,
        feed=feed,
        visible=visible,
        inspector=inspector,
        installations=installations,
        sender=sender,
        socket_mode=socket_mode,
        deliveries=deliveries,
        events=events,
        interactions=Interactions(context),
        administration=Administration(workspace, views, feed, installations, access, events),
        authorization=authorization,
        slack_routes=SlackRoutes(web_api, response_urls, faults, inspector, views, settings),
        files=files,
    )


def create_app(parts: Parts) -> Starlette:
    """Create the ASGI app from the parts. The end of its lifespan closes the parts."""
    page = PageRoutes(
        parts.workspace,
        parts.views,
        parts.visible,
        parts.feed,
        parts.inspector,
        parts.interactions,
        parts.administration,
        parts.page_options,
    )
    authorize = AuthorizePage(parts.authorization, parts.workspace.directory.app)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await parts.aclose()

    routes = [
        *parts.slack_routes.routes(),
        *parts.files.routes(),
        *parts.socket_mode.routes(),
        *authorize.routes(),
        *page.routes(),
    ]
    return Starlette(routes=routes, lifespan=lifespan)
