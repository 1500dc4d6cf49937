"""A stand-in for the Hugging Face hub: repositories of files, as huggingface_hub asks for them over HTTP."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Files = Mapping[
    str, bytes
]  # `datasets/openai/gsm8k/main/a.parquet` or `openai-community/gpt2/vocab.json` → its content


@contextmanager
def hub(files: Files) -> Iterator[str]:
    """Serve the files; yields the address, for HF_ENDPOINT."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_content=True)

        def do_HEAD(self) -> None:
            self._answer(with_content=False)

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, *, with_content: bool) -> None:
            path = self.path.partition("?")[0].removeprefix("/")
            if path.startswith("api/"):
                repository = path.removeprefix("api/").removeprefix("models/")
                known = any(name.startswith(f"{repository}/") for name in files)
                described = {"id": repository.removeprefix("datasets/"), "sha": COMMIT, "siblings": []}
                self._send(
                    json.dumps(described).encode() if known else None, with_content, "application/json"
                )
            else:
                content = files.get(path.replace(f"/resolve/{COMMIT}/", "/"))
                self._send(content, with_content, "application/octet-stream")

        def _send(self, content: bytes | None, with_content: bool, kind: str) -> None:
            self.send_response(404 if content is None else 200)
            body = content or b""
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if with_content:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
