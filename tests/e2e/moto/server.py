"""AWS's stores in memory: moto, one request at a time.

DynamoDB evaluates a condition and writes in one step. moto does not when two threads meet, so requests are let
in one after the other; their bodies are read before, so that a connection that stalls holds nobody up.
"""

import io
import sys
import threading

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server


class OneAtATime:
    def __init__(self, app):
        self.app = app
        self.turn = threading.Lock()

    def __call__(self, environ, start_response):
        chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "")
        length = -1 if chunked else int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if not chunked and len(body) < length:
            # Cut off on its way: nothing may be done with half a request.
            start_response("400 Bad Request", [("Content-Length", "0")])
            return [b""]
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        with self.turn:
            return [b"".join(self.app(environ, start_response))]


class Quiet(MotoRequestHandler):
    def log(self, type, message, *args):
        if type == "error":
            super().log(type, message, *args)

    def log_request(self, code="-", size="-"):
        pass


app = OneAtATime(DomainDispatcherApplication(create_backend_app))
server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
print(f"http://127.0.0.1:{server.port}", flush=True)
# Our parent holds the other end: when it is gone, so are we.
threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
server.serve_forever()
