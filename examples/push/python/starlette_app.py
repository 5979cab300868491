"""Push in Starlette."""

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from story import KEY, PORT, run, settings
from tidings import AsgiRoute, Engine

engine = Engine.open(settings(), KEY)
app = Starlette(routes=[Route("/tidings", AsgiRoute(engine))])

run(lambda: uvicorn.run(app, port=PORT, log_level="error"))
