"""Push without a framework: WSGI."""

from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from story import KEY, PORT, run, settings
from tidings import BlockingEngine, WsgiRoute


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


engine = BlockingEngine.open(settings(), KEY)
run(make_server("127.0.0.1", PORT, WsgiRoute(engine), Server, Quiet).serve_forever)
