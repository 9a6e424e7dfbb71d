"""A webhook's other side: keeps what it is sent, in a thread of its own, and can be told how to answer."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import orjson

from schemas.alert import Alert


def address(port: int) -> str:
    """Of the receiver on that port. Whoever knows it can send to it, so it must not come to light."""
    return f"http://127.0.0.1:{port}/alerts/r3ceiverPathSecret?key=r3ceiverQuerySecret"


class Receiver:
    """``delay_s``: how long each answer takes. ``answers``: how the next requests are answered (status, headers), before 200 for all."""

    def __init__(self) -> None:
        self.received: list[tuple[str, int]] = []
        """(alert id, version) of every request that was answered with 200, in their order."""
        self.arrived_at: list[float] = []
        self.asked_at: list[float] = []
        """When each request came, however it was answered (monotonic seconds)."""
        self.bodies: list[bytes] = []
        self.delay_s = 0.0
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.refused = 0
        self.url = ""

    @property
    def ids(self) -> set[str]:
        return {alert_id for alert_id, _ in self.received}

    @property
    def repeated(self) -> int:
        """How often something was sent that had been taken before."""
        return sum(n - 1 for n in Counter(self.received).values())

    def versions(self) -> list[Alert]:
        return [msgspec.json.decode(body, type=Alert) for body in self.bodies]


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """``port``: to listen on; 0: any that is free."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            alert = orjson.loads(body)
            receiver.asked_at.append(time.monotonic())
            time.sleep(receiver.delay_s)
            status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
            if status == 200:
                receiver.received.append((alert["id"], alert["version"]))
                receiver.arrived_at.append(time.time())
                receiver.bodies.append(body)
            else:
                receiver.refused += 1
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # the other side was killed

    with Server(("127.0.0.1", port), Handler) as server:
        receiver.url = address(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
