"""A real HTTP server on this machine that speaks chat completions, and misbehaves when told to."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], str]  # status, headers, body
TASK = re.compile(r"(\d+) ([-+×]) (\d+)")
USAGE = {"prompt_tokens": 40, "completion_tokens": 10}


def solution(question: str, right: bool = True) -> str:
    """A solution of a drill, right or wrong by one."""
    found = TASK.search(question)
    assert found is not None, question
    a, sign, b = int(found[1]), found[2], int(found[3])
    result = {"+": a + b, "-": a - b, "×": a * b}[sign] + (not right)
    return f"{a} {sign} {b} = {result}\n#### {result}"


def completion(text: str | None, finish_reason: str = "stop", **changes: Any) -> Reply:
    """A reply as OpenAI's."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    body = {"object": "chat.completion", "choices": [choice], "usage": USAGE, **changes}
    return 200, {"Content-Type": "application/json"}, json.dumps(body)


class Endpoint:
    """What the server was asked, and how it answers."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()  # question → requests
        self.keys: set[str | None] = set()
        self.bodies: list[dict[str, Any]] = []
        self.under_way = self.most_at_once = 0
        self.lock = threading.Lock()
        self.address = ""
        self.seconds = 0.0  # that an answer takes
        self.drips = False  # byte by byte
        self.answer: Callable[[int, str], Reply] = self.solve

    @property
    def requests(self) -> int:
        """All that came."""
        return sum(self.asked.values())

    @staticmethod
    def solve(number: int, question: str) -> Reply:
        """Two of three requests get a right solution, every ninth's is cut off."""
        cut = number % 9 == 8
        return completion(solution(question, right=number % 3 != 2), "length" if cut else "stop")

    def take(self, body: dict[str, Any], key: str | None) -> Reply:
        """Answer one request."""
        question = body["messages"][-1]["content"]
        with self.lock:
            number = self.requests
            self.asked[question] += 1
            self.keys.add(key)
            self.bodies.append(body)
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            time.sleep(self.seconds)
            return self.answer(number, question)
        finally:
            with self.lock:
                self.under_way -= 1


@contextmanager
def serving() -> Iterator[Endpoint]:
    """Serve until the block ends."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # head and body in one packet: two would wait for each other

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                status, headers, text = 404, {}, json.dumps({"error": {"message": "no such page"}})
            else:
                status, headers, text = endpoint.take(body, self.headers["Authorization"])
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
                    self.send_header(name, value)
                self.end_headers()
                for byte in text.encode() if endpoint.drips else b"":
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.05)
                self.wfile.write(b"" if endpoint.drips else text.encode())
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client did not wait

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint.address = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
