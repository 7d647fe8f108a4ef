"""A real HTTP server on this machine that speaks the chat protocol, or breaks it as tests ask."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What the server sends; `seconds` it waits before, `pieces` in which it sends the body, a second apart each."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    pieces: int = 1
    cut: bool = False


def reply(
    text: str | None,
    finish_reason: str | None = "stop",
    usage: dict | None = None,
    reasoning_content: str | None = None,
    logprobs: list[tuple[str, dict[str, float]]] | None = None,
    **others,
) -> Answer:
    """Return a chat completion as OpenAI's API gives it; some servers give a thought apart, as `reasoning_content`.

    `logprobs` are the tokens of the text, each with its alternatives and their log-probabilities.
    """
    usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14} if usage is None else usage
    message = {"role": "assistant", "content": text}
    message |= {} if reasoning_content is None else {"reasoning_content": reasoning_content}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    if logprobs is not None:
        content = [
            {
                "token": token,
                "logprob": likely.get(token, -0.1),
                "top_logprobs": [{"token": name, "logprob": value} for name, value in likely.items()],
            }
            for token, likely in logprobs
        ]
        choice["logprobs"] = {"content": content}
    value = {"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}
    return Answer(json.dumps(value).encode(), headers={"Content-Type": "application/json"}, **others)


class Endpoint:
    """The server's address, what it was asked, and `answer(body, number of the request) -> Answer`."""

    def __init__(self, answer: Callable[[dict, int], Answer]):
        self.answer = answer
        self.bodies: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.moments: list[float] = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def _handler(self):
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with endpoint.lock:
                    number = len(endpoint.bodies)
                    endpoint.bodies.append(body)
                    endpoint.headers.append({key.lower(): value for key, value in self.headers.items()})
                    endpoint.moments.append(time.monotonic())
                    endpoint.under_way += 1
                    endpoint.most_under_way = max(endpoint.most_under_way, endpoint.under_way)
                assert self.path == "/v1/chat/completions", self.path
                try:
                    answer = endpoint.answer(body, number)
                    is_closing = endpoint.closing.wait(answer.seconds)
                finally:
                    with endpoint.lock:  # before the answer is out, or the next question may be counted beside it
                        endpoint.under_way -= 1
                if not is_closing:
                    endpoint._send(self, answer)

            def log_message(self, *_):
                pass

        return Handler

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        with contextlib.suppress(OSError):
            handler.send_response(answer.status)
            for key, value in answer.headers.items():
                handler.send_header(key, value)
            handler.send_header("Content-Length", str(len(answer.body) * (2 if answer.cut else 1)))
            handler.end_headers()
            size = -(-len(answer.body) // answer.pieces)
            for start in range(0, len(answer.body), max(1, size)):
                if start and self.closing.wait(1):
                    return
                handler.wfile.write(answer.body[start : start + size])
                handler.wfile.flush()


@contextlib.contextmanager
def serving(answer: Callable[[dict, int], Answer]) -> Iterator[Endpoint]:
    """Yield a running endpoint; hanging answers end with the block."""
    endpoint = Endpoint(answer)
    thread = threading.Thread(target=endpoint.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.closing.set()
        endpoint.server.shutdown()
        endpoint.server.server_close()
        thread.join(5)
