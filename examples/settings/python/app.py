"""The settings page in FastAPI: `integration.py` and `desk.py` behind routes, and what keeps them safe."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import uvicorn
from desk import CANDIDATES, Desk
from fastapi import APIRouter, Body, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from integration import Integration, Refused
from plain import backfill
from safety import MAIL_POLICY, Headers, framed, status_of
from sessions import COOKIE, Session, Sessions
from tidings import Cloud, Config, Engine, Event, TidingsError

PORT = int(os.environ.get("PORT", "8400"))
BASE = os.environ.get("SETTINGS_URL", f"http://localhost:{PORT}")
WEB = Path(__file__).parents[1] / "web"


def settings() -> Config:
    env = os.environ
    cloud = Cloud.Custom(login=env["TIDINGS_LOGIN"], graph=env["TIDINGS_GRAPH"]) if "TIDINGS_LOGIN" in env else Cloud.Public()
    return Config(data_dir=env["TIDINGS_DATA"], client_id=env["TIDINGS_CLIENT_ID"], client_secret=env.get("TIDINGS_CLIENT_SECRET"), cloud=cloud)


def application(engine: Engine) -> FastAPI:
    key = os.environ.get("SETTINGS_SESSION_KEY")
    sessions = Sessions(bytes.fromhex(key) if key else secrets.token_bytes(32), secure=BASE.startswith("https:"))
    integration, desk = Integration(engine, sessions, BASE, CANDIDATES), Desk(engine)

    async def signed_in(request: Request) -> Session:
        session = sessions.read(request.cookies.get(COOKIE))
        if session is None:
            raise Refused(401, "Your session has ended. Load the page again.")
        return session

    Who = Annotated[Session, Depends(signed_in)]
    Said = Annotated[dict[str, Any], Body()]

    async def guard(request: Request, session: Who) -> None:
        """Before every call of the API: what changes something has to come from a page of ours."""
        if request.method in ("GET", "HEAD"):
            return
        if request.headers.get("origin", BASE) != BASE or not sessions.is_ours(session, request.headers.get("x-csrf-token")):
            raise Refused(403, "This call did not come from this page. Load it again.")

    api = APIRouter(prefix="/api", dependencies=[Depends(guard)])

    @api.get("/session")
    async def about(who: Who) -> Any:
        return {"csrf": sessions.csrf(who), "notice": sessions.take_notice(who), "candidates": CANDIDATES}

    @api.get("/permissions")
    async def permissions(who: Who, features: str = "", account: str | None = None) -> Any:
        return await integration.permissions(who, features.split(",") if features else [], account)

    @api.post("/connect")
    async def connect(who: Who, said: Said) -> Any:
        return await integration.connect(who, said.get("features"))

    @api.get("/accounts")
    async def accounts(who: Who) -> Any:
        return await integration.accounts(who)

    @api.post("/accounts/{id}/reconnect")
    async def reconnect(who: Who, id: str) -> Any:
        return await integration.reconnect(who, id)

    @api.post("/accounts/{id}/features")
    async def add_features(who: Who, id: str, said: Said) -> Any:
        return await integration.add_features(who, id, said.get("features"))

    @api.post("/accounts/{id}/approval")
    async def approval(who: Who, id: str) -> Any:
        return await integration.approval(who, id)

    @api.post("/accounts/{id}/shared")
    async def add_shared(who: Who, id: str, said: Said) -> Any:
        return await integration.add_shared(who, id, str(said.get("address", "")))

    @api.post("/accounts/{id}/verify")
    async def verify(who: Who, id: str, said: Said) -> Any:
        return await integration.verify(who, id, bool(said.get("test_message")))

    @api.post("/accounts/{id}/sync")
    async def sync(who: Who, id: str) -> Any:
        return await integration.sync(who, id)

    @api.post("/accounts/{id}/disconnect")
    async def disconnect(who: Who, id: str) -> Any:
        return await integration.disconnect(who, id)

    @api.put("/accounts/{id}/signature")
    async def set_signature(who: Who, id: str, said: Said) -> Any:
        return await integration.set_signature(who, id, str(said.get("text", "")))

    @api.get("/accounts/{id}/estimate")
    async def estimate(who: Who, id: str, range: str) -> Any:
        return await integration.estimate(who, id, range)

    @api.post("/accounts/{id}/backfill")
    async def change_backfill(who: Who, id: str, said: Said) -> Any:
        return await integration.backfill(who, id, str(said.get("action")), str(said.get("range")))

    @api.get("/candidates/{id}")
    async def candidate(who: Who, id: str) -> Any:
        return await desk.candidate(who, id)

    @api.post("/candidates/{id}/fill")
    async def fill(who: Who, id: str, said: Said) -> Any:
        return await desk.fill(who, id, str(said.get("template")), str(said.get("account_id")))

    @api.post("/candidates/{id}/send")
    async def send(who: Who, id: str, said: Said) -> Any:
        return await desk.send(who, id, said)

    @api.post("/receipts/{id}/cancel")
    async def cancel(who: Who, id: str) -> Any:
        return await desk.cancel(who, id)

    @api.post("/attachments")
    async def stage(who: Who, request: Request, account: str, name: str, type: str = "application/octet-stream") -> Any:
        return await desk.stage(who, account, name, type, request.stream())

    @api.get("/messages/{id}/thread")
    async def thread(who: Who, id: str) -> Any:
        return await desk.thread(who, id)

    @api.get("/messages/{id}/body")
    async def body(who: Who, id: str) -> Response:
        return HTMLResponse(framed(await desk.body(who, id)), headers={"content-security-policy": MAIL_POLICY})

    @api.get("/messages/{id}/attachments/{attachment_id}")
    async def attachment(who: Who, id: str, attachment_id: str) -> Response:
        content = await desk.attachment(who, id, attachment_id)
        # Always as a file, whatever the sender says it is.
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(content.name() or 'attachment', safe='')}"}
        return StreamingResponse(content, media_type="application/octet-stream", headers=headers)

    @api.get("/events")
    async def events(who: Who) -> Response:
        """What happened just now, so that the page need not ask: that of this person's accounts alone."""
        stream = engine.events(who.owner)

        async def told() -> AsyncIterator[str]:
            yield ": here\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(stream.next(), 15)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if event is None:
                    return
                said = {"type": "backfill", "backfill": backfill(event.backfill)} if isinstance(event, Event.BackfillChanged) else {"type": "other"}
                yield f"data: {json.dumps(said)}\n\n"

        return StreamingResponse(told(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Headers)
    app.include_router(api)

    @app.exception_handler(TidingsError)
    async def of_engine(_: Request, error: TidingsError) -> Response:
        said = {"kind": error.kind.value, "reason": error.reason, "remedy": error.remedy.value, "account_id": error.account_id}
        return JSONResponse({"error": said}, status_of(error.kind.value))

    @app.exception_handler(Refused)
    async def of_server(_: Request, error: Refused) -> Response:
        return JSONResponse({"error": {"kind": "refused", "reason": str(error), "remedy": "user", "account_id": None}}, error.status)

    @app.get("/")
    async def page(request: Request) -> Response:
        """The page, and a session for whoever has none: your log-in goes here."""
        answer = HTMLResponse((WEB / "index.html").read_text())
        if sessions.read(request.cookies.get(COOKIE)) is None:
            answer.headers["set-cookie"] = sessions.cookie(sessions.new())
        return answer

    @app.get("/callback")
    async def callback(who: Who, request: Request) -> Response:
        await integration.finish(who, f"{BASE}/callback?{request.url.query}")
        return RedirectResponse("/#/settings/integrations", 303)

    app.mount("/static", StaticFiles(directory=WEB))
    return app


async def main() -> None:
    async with Engine.open(settings(), bytes.fromhex(os.environ["TIDINGS_KEY"])) as engine:
        engine.start()
        served = uvicorn.Config(application(engine), host="127.0.0.1", port=PORT, log_level="warning", timeout_graceful_shutdown=1)
        print(f"Open {BASE}", flush=True)
        await uvicorn.Server(served).serve()


if __name__ == "__main__":
    asyncio.run(main())
