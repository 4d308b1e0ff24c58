# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""An HTTP peer that answers as a script says: a schema registry with the faults that a real one has on bad days."""
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HttpPeer:
    """answer(method, path, body) -> (status, bytes[, content type]). Counts requests."""

    def __init__(self, answer):
        self.requests = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                peer.requests.append((self.command, self.path))
                status, data, *kind = answer(self.command, self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", kind[0] if kind else "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = respond

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
