"""How the sandbox is put together: every part is made once, here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette

from bot.sandbox.slack.acks import Acks
from bot.sandbox.slack.administration import Administration
from bot.sandbox.slack.authorize_page import AuthorizePage
from bot.sandbox.slack.chat_methods import ChatMethods
from bot.sandbox.slack.conversation_methods import ConversationMethods
from bot.sandbox.slack.coverage import Coverage
from bot.sandbox.slack.deliveries import Deliveries
from bot.sandbox.slack.delivery import Courier
from bot.sandbox.slack.event_delivery import EventDelivery
from bot.sandbox.slack.events import Feed
from bot.sandbox.slack.faults import Faults
from bot.sandbox.slack.inspector import Inspector
from bot.sandbox.slack.installations import Installations
from bot.sandbox.slack.interactions import Interactions, Slack
from bot.sandbox.slack.messages import Report
from bot.sandbox.slack.oauth import AuthorizationServer
from bot.sandbox.slack.page_api import PageRoutes, Surroundings
from bot.sandbox.slack.people import Cast
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.server import SlackRoutes
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.surfaces import Sight
from bot.sandbox.slack.view_methods import ViewMethods
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.web_api import WebApi
from bot.sandbox.slack.wiring import Wiring
from bot.sandbox.slack.workspace import MessageClock, Sequence, Workspace


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything that the sandbox consists of."""

    wiring: Wiring
    surroundings: Surroundings
    faults: Faults
    workspace: Workspace
    views: Views
    feed: Feed
    sight: Sight
    inspector: Inspector
    installations: Installations
    courier: Courier
    socket_mode: SocketMode
    deliveries: Deliveries
    events: EventDelivery
    interactions: Interactions
    administration: Administration
    authorization: AuthorizationServer
    slack_routes: SlackRoutes

    async def aclose(self) -> None:
        """Ends streams and WebSockets, gives up what was to be repeated, closes the HTTP session."""
        self.feed.close()
        await self.events.stop()
        await self.socket_mode.close()
        await self.courier.close()


def assemble(cast: Cast, wiring: Wiring, surroundings: Surroundings, report: Report) -> Parts:
    """Makes the parts, each from those it needs; `report` hears of every limit that is broken."""
    clock, ids = MessageClock(wiring.now), Sequence()
    workspace, views = Workspace(cast, clock, ids), Views(cast, clock, ids, wiring.now)
    feed, sight = Feed(workspace, views), Sight(workspace, views)
    inspector, courier, faults = Inspector(feed), Courier(wiring), Faults()
    installations = Installations(cast)
    coverage = Coverage(installations, workspace)
    response_urls = ResponseUrls(workspace, feed, report, wiring)
    socket_mode = SocketMode(cast.app.id, feed, wiring)
    deliveries = Deliveries(courier, socket_mode, inspector, wiring)
    events = EventDelivery(deliveries, workspace, installations, wiring)
    slack = Slack(
        workspace=workspace,
        views=views,
        feed=feed,
        sight=sight,
        acks=Acks(views, response_urls, report),
        response_urls=response_urls,
        installations=installations,
        coverage=coverage,
        deliveries=deliveries,
        events=events,
        wiring=wiring,
    )
    authorization = AuthorizationServer(installations, workspace, wiring)
    methods = {
        **ConversationMethods(workspace, coverage).methods(),
        **ChatMethods(workspace, coverage, feed, report).methods(),
        **ViewMethods(workspace, coverage, views, feed, report).methods(),
    }
    open_methods = {**authorization.methods(), **socket_mode.methods()}
    web_api = WebApi(methods, open_methods, installations, workspace, wiring)
    return Parts(
        wiring=wiring,
        surroundings=surroundings,
        faults=faults,
        workspace=workspace,
        views=views,
        feed=feed,
        sight=sight,
        inspector=inspector,
        installations=installations,
        courier=courier,
        socket_mode=socket_mode,
        deliveries=deliveries,
        events=events,
        interactions=Interactions(slack),
        administration=Administration(workspace, views, feed, installations, coverage, events),
        authorization=authorization,
        slack_routes=SlackRoutes(web_api, response_urls, faults, inspector, wiring),
    )


def served(parts: Parts) -> Starlette:
    """The ASGI app: Slack's side, the page's and the authorization page; its end closes the parts."""
    page = PageRoutes(
        parts.workspace,
        parts.views,
        parts.sight,
        parts.feed,
        parts.inspector,
        parts.interactions,
        parts.surroundings,
    )
    authorize = AuthorizePage(parts.authorization, parts.workspace.cast.app)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await parts.aclose()

    routes = [
        *parts.slack_routes.routes(),
        *parts.socket_mode.routes(),
        *authorize.routes(),
        *page.routes(),
    ]
    return Starlette(routes=routes, lifespan=lifespan)
