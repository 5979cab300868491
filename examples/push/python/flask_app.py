"""Push in Flask."""

import logging

from flask import Flask, Response, request
from story import KEY, PORT, run, settings
from tidings import BlockingEngine, HttpRequest
from werkzeug.serving import make_server

app = Flask(__name__)
engine = BlockingEngine.open(settings(), KEY)


@app.post("/tidings")
def tidings():
    answer = engine.receive(HttpRequest(query=request.query_string.decode(), headers=dict(request.headers), body=request.get_data()))
    return Response(answer.body, answer.status, answer.headers)


logging.getLogger("werkzeug").setLevel(logging.ERROR)
run(make_server("127.0.0.1", PORT, app, threaded=True).serve_forever)
