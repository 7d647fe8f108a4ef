"""Replies of chat endpoints that come piece by piece: server-sent events, put together as if they had come whole."""

import json
from collections.abc import Callable

TYPE = "text/event-stream"
END = "[DONE]"


class EventStream:
    """What has come of one reply; `tell` hears the text so far whenever there is more of it.

    A server that does not stream, or refuses, sends something else, which is kept as it is.
    """

    def __init__(self, tell: Callable[[str], None]):
        self.tell = tell
        self.text, self.thought = "", ""
        self.finish_reason: str | None = None
        self.usage: dict = {}
        self.error: dict | None = None
        self.is_over = False
        self._rest = b""

    def take(self, piece: bytes) -> None:
        """Read what has come; an event may end in the middle of a later piece."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:].strip())

    def _event(self, data: bytes) -> None:
        if data == END.encode():
            self.is_over = True
            return
        try:
            value = json.loads(data)
            if error := value.get("error"):
                self.error = {"error": error}
            if usage := value.get("usage"):
                self.usage = usage
            for choice in value.get("choices") or []:
                self._choice(choice)
        except (ValueError, RecursionError, AttributeError, TypeError):
            self.error = {
                "error": {"message": f"an event is no JSON of a reply: {data[:200].decode('utf-8', 'replace')}"}
            }

    def _choice(self, choice: dict) -> None:
        delta = choice.get("delta") or {}
        thought = delta.get("reasoning_content") or delta.get("reasoning") or ""
        self.thought += thought
        if choice.get("finish_reason"):
            self.finish_reason, self.is_over = choice["finish_reason"], True
        if content := delta.get("content"):
            self.text += content
            self.tell(self.text)

    def whole(self) -> bytes | None:
        """Return the reply as a server sends it in one piece, None where the stream broke off before its end."""
        if self.error:
            return json.dumps(self.error).encode()
        if not self.is_over:
            return None
        message = {"role": "assistant", "content": self.text, "reasoning_content": self.thought}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        return json.dumps({"choices": [choice], "usage": self.usage}).encode()
