"""Push in FastAPI."""

import uvicorn
from fastapi import FastAPI
from story import KEY, PORT, run, settings
from tidings import AsgiRoute, Engine

app = FastAPI()
engine = Engine.open(settings(), KEY)
app.add_route("/tidings", AsgiRoute(engine))

run(lambda: uvicorn.run(app, port=PORT, log_level="error"))
