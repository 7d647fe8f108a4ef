"""Completion by any OpenAI-compatible chat endpoint (`POST <url>/chat/completions`), over HTTP.

Messages are sent, not a rendered text: the endpoint applies its own chat template. Their canonical JSON is the prompt's
identity. The length of a prompt is unknown here, so the endpoint decides what is too long.
A busy, broken or silent endpoint is asked again, later and later; a prompt that still got no reply is a `Failure`,
which is reported and never stored, so that the next run asks again. What no repetition can mend (a wrong key or
address, an endpoint that answers nothing at all) ends the job; everything answered until then is kept.

An endpoint whose `settings` ask for `logprobs` can choose between labels: the alternatives to the first token that it
writes are labels, or beginnings of one label. The beginning of an answer (`Verdict:`) cannot be given to it.
"""

import datetime
import email.utils
import itertools
import json
import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import tenacity

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.backends import Batch, Completion, Failure, GenerationParameters, ScoringBackend, Tell
from judgemerge.judge.endpoints import CHAT, base_url, gives_logprobs
from judgemerge.judge.event_streams import TYPE, EventStream
from judgemerge.settings.models import Endpoint

logger = logging.getLogger(__name__)

ABILITIES = ("logprobs",)  # of an endpoint whose settings ask for them
ENVIRONMENT = "stats"
SELECTABLE = False
# How an endpoint is asked. None of it decides a reply, so none is part of the identity.
LIMITS = (
    "requests_per_minute", "tokens_per_minute", "concurrency", "timeout", "attempts", "limit_key", "api_key_variable",
)  # fmt: skip
FIRST_WAIT = 1.0  # seconds before the second attempt; doubled before every further one
LONGEST_WAIT = 60.0  # an endpoint may ask for more (Retry-After), but never for more than
LONGEST_RETRY_AFTER = 600.0
TOKENS_BEFORE_LABEL = 4  # asked for where a label is chosen: white space may come before it
TOP_LOGPROBS = 20  # alternatives asked for where the settings say no number; OpenAI gives no more
MAXIMUM_BYTES = 16 << 20  # of one reply; an endpoint that sends more is broken
IN_A_ROW = 8  # prompts without a reply, one after the other, until the endpoint counts as down
_BUSY = {408, 409, 425, 429}
# What servers call the limit of tokens; OpenAI's own word is length.
_AT_THE_LIMIT = {"length", "max_tokens", "max_output_tokens", "model_length"}
# What else leaves a text unfinished.
_BROKEN_OFF = {"content_filter", "safety", "recitation", "refusal", "error", "abort", "cancelled"}
_BROKEN_OFF |= {"insufficient_system_resource"}
_TOO_LONG = ("context_length", "context length", "maximum context", "too many tokens", "prompt is too long")


class _TryAgain(Exception):
    """A fault that may pass; `after` is how many seconds the endpoint asked to wait."""

    def __init__(self, message: str, after: float = 0.0):
        super().__init__(message)
        self.after = after


class _Stopped(Exception):
    """The job ends while this prompt waits for its turn."""


class Window:
    """At most `limit` units in any 60 seconds; a single amount above the limit passes when nothing else was spent."""

    def __init__(self, limit: float | None, clock=time.monotonic):
        self.limit, self.clock = limit, clock
        self.spent: deque[list[float]] = deque()  # [moment, amount]
        self.lock = threading.Lock()

    def take(self, amount: float) -> tuple[float, list[float] | None]:
        """Return (0, entry) when `amount` is taken, else (seconds until it is worth trying again, None)."""
        with self.lock:
            now = self.clock()
            while self.spent and self.spent[0][0] <= now - 60:
                self.spent.popleft()
            if self.limit is None or not self.spent or sum(entry[1] for entry in self.spent) + amount <= self.limit:
                self.spent.append([now, amount])
                return 0.0, self.spent[-1]
            return self.spent[0][0] + 60 - now, None


class OpenAI(ScoringBackend):
    """One model behind one endpoint; prompts are asked in their order, `concurrency` at a time."""

    abilities = ABILITIES

    def __init__(self, endpoint: Endpoint, api_key: str | None = None, first_wait: float = FIRST_WAIT):
        """`endpoint` is the entry of a study file; `api_key` is sent to its address and nowhere else."""
        self.entry = endpoint
        self.abilities = ABILITIES if gives_logprobs(endpoint) else ()
        self.where = f"{self.entry.model} at {httpx.URL(self.entry.url).host}"
        self.url = base_url(self.entry.url) + CHAT
        self.api_key = _checked_key(api_key, self.entry.api_key_variable)
        self.digest_settings = "openai," + json.dumps(self.entry.settings, sort_keys=True, ensure_ascii=False)
        self.first_wait = first_wait
        self.counters: Counter[str] = Counter()  # requests, retries, answered, and failures by reason
        self._requests = Window(self.entry.requests_per_minute)
        self._tokens = Window(self.entry.tokens_per_minute)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._resume_at = 0.0  # of time.monotonic: until then the endpoint asked everybody to wait

    def render(self, messages: list[dict[str, str]]) -> str:
        """Return the messages as canonical JSON, which is what identifies the prompt."""
        return json.dumps(messages, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def complete(
        self,
        texts: list[str],
        parameters: GenerationParameters,
        skip: Collection[int] = (),
        seeds: Sequence[int] = (),
    ) -> Iterator[Batch]:
        """Yield (index into `texts`, completion or failure) as they come.

        Raises JudgemergeError when no repetition can help, after yielding what was answered until then.
        """
        limit = {self.entry.limit_key: parameters.max_new_tokens}
        yield from self._answers([(text, limit, ()) for text in texts], skip)

    def write(self, text: str, parameters: GenerationParameters, tell: Tell) -> Completion | Failure:
        """Return the reply to one prompt, and tell what has come of it; a server that does not stream sends it whole.

        At a temperature above 0, temperature and top_p stand in the place of those of the endpoint's settings.
        """
        how = {} if parameters.is_greedy else {"temperature": parameters.temperature, "top_p": parameters.top_p}
        extra = {**how, self.entry.limit_key: parameters.max_new_tokens, "stream": True}
        self._stop.clear()
        with self._client() as client:
            reply = self._ask(client, text, extra, (), tell)
        if isinstance(reply, Completion):
            tell(reply.text)
        return reply

    def continuation(self, messages: list[dict[str, str]], reply: str) -> str:
        """Refuse to score a whole response: an endpoint gives log-probabilities of what it writes alone."""
        raise JudgemergeError(
            f"{self.where}: an endpoint cannot say how likely a given response is (mode likelihood); use a prompt of "
            "mode choices or generate"
        )

    def score(self, questions: list[tuple[str, tuple[str, ...]]], skip: Collection[int] = ()) -> Iterator[Batch]:
        """Yield, for messages and labels, how likely each label is the first thing that the model writes.

        A label that is not among the alternatives is as likely as the least likely one of them, which is the most that
        it can be. Where no label is, there is nothing to read a verdict from.
        """
        extra = {"top_logprobs": TOP_LOGPROBS, **self.entry.settings, self.entry.limit_key: TOKENS_BEFORE_LABEL}
        asked = [(_messages(text), extra, tuple(map(str.strip, options))) for text, options in questions]
        yield from self._answers(asked, skip)

    def _answers(self, asked: Sequence[tuple[str, dict, tuple[str, ...]]], skip: Collection[int]) -> Iterator[Batch]:
        """Yield (index, completion or failure) for messages, further keys of the request, and labels to choose from."""
        self._stop.clear()
        waiting = (index for index in range(len(asked)) if index not in skip)
        n_failed, fatal = 0, None
        with ThreadPoolExecutor(self.entry.concurrency) as pool, self._client() as client:
            try:
                ask = lambda index: pool.submit(self._ask, client, *asked[index])  # noqa: E731
                running = {ask(index): index for index in itertools.islice(waiting, self.entry.concurrency)}
                while running:
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    batch = []
                    for future in done:
                        index = running.pop(future)
                        result, error = _outcome(future)
                        fatal = fatal or error
                        if result is None:
                            continue
                        batch.append((index, result))
                        lost = isinstance(result, Failure) and result.reason != "prompt_too_long"
                        n_failed = n_failed + 1 if lost else 0
                        if n_failed >= max(IN_A_ROW, 2 * self.entry.concurrency) and fatal is None:
                            fatal = JudgemergeError(
                                f"{self.where}: {n_failed} prompts in a row got no reply (last: {result.detail}); what "
                                "was answered is kept, run again when the endpoint works"
                            )
                    if batch:
                        yield batch
                    if fatal is not None:
                        self._stop.set()  # prompts that wait for their turn give up; those on the way are read
                        continue
                    running |= {ask(index): index for index in itertools.islice(waiting, len(done))}
            finally:
                self._stop.set()
        if fatal is not None:
            raise fatal

    def usage(self) -> dict:
        """Return what was asked so far: requests, retries, answered, failures by reason."""
        failures = {
            key: n for key, n in sorted(self.counters.items()) if key not in ("requests", "retries", "answered")
        }
        return {**{key: self.counters[key] for key in ("requests", "retries", "answered")}, "failures": failures}

    # ---- one prompt ----

    def _ask(
        self, client: httpx.Client, text: str, extra: dict, labels: tuple[str, ...], tell: Tell | None = None
    ) -> Completion | Failure:
        body = {**self.entry.settings, "model": self.entry.model, "messages": json.loads(text), **extra}
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TryAgain),
            stop=tenacity.stop_after_attempt(self.entry.attempts),
            wait=tenacity.wait_exponential(multiplier=self.first_wait, max=LONGEST_WAIT),
            sleep=self._sleep,
            before_sleep=self._note_retry,
            reraise=True,
        )
        try:
            # Nobody knows the length before the reply; four characters per token is a usual English guess.
            result = retrying(self._attempt, client, body, len(text) / 4 + extra[self.entry.limit_key], labels, tell)
        except _TryAgain as error:
            result = Failure("endpoint_error", str(error))
        if isinstance(result, Failure):
            logger.warning("%s: a prompt got no reply: %s (%s)", self.where, result.reason, result.detail)
        self._count("answered" if isinstance(result, Completion) else result.reason)
        return result

    def _attempt(
        self, client: httpx.Client, body: dict, estimate: float, labels: tuple[str, ...], tell: Tell | None
    ) -> Completion | Failure:
        spent = self._wait_for_turn(estimate)
        self._count("requests")
        result = self._read(*self._post(client, body, tell), labels)
        if isinstance(result, Completion) and result.prompt_tokens is not None and result.reply_tokens is not None:
            spent[1] = result.prompt_tokens + result.reply_tokens
        return result

    def _wait_for_turn(self, estimate: float) -> list[float]:
        """Wait until the endpoint wants to be asked and both limits allow it; return the entry of spent tokens."""
        while (pause := self._resume_at - time.monotonic()) > 0:
            self._sleep(pause)
        for window, amount in ((self._requests, 1), (self._tokens, estimate)):
            seconds, entry = window.take(amount)
            while entry is None:
                self._sleep(seconds)
                seconds, entry = window.take(amount)
        return entry

    def _post(self, client: httpx.Client, body: dict, tell: Tell | None) -> tuple[httpx.Response, bytes]:
        """Return the response and its bytes; a reply that takes longer than `timeout` seconds in all is given up."""
        deadline = time.monotonic() + self.entry.timeout
        content = bytearray()
        try:
            with client.stream("POST", self.url, json=body) as response:
                comes_in_events = TYPE in response.headers.get("content-type", "") and response.status_code == 200
                events = EventStream(tell) if tell and comes_in_events else None
                for piece in response.iter_bytes():
                    content += piece
                    if events:
                        events.take(piece)
                    if len(content) > MAXIMUM_BYTES:
                        raise _TryAgain(f"more than {MAXIMUM_BYTES >> 20} MB came as one reply")
                    if time.monotonic() > deadline:
                        raise _TryAgain(f"no whole reply within {self.entry.timeout:g} s")
        except httpx.TimeoutException:
            raise _TryAgain(f"no reply within {self.entry.timeout:g} s") from None
        except httpx.HTTPError as error:  # refused, cut, or no HTTP at all
            raise _TryAgain(self._shown(str(error) or type(error).__name__)) from None
        whole = events.whole() if events else bytes(content)
        if whole is None:
            raise _TryAgain("the reply broke off before its end")
        return response, whole

    def _read(self, response: httpx.Response, content: bytes, labels: tuple[str, ...] = ()) -> Completion | Failure:
        status = response.status_code
        if status in _BUSY or status >= 500:
            raise _TryAgain(f"HTTP {status}: {self._message(content)}", _retry_after(response.headers))
        if status in (401, 403):
            variable = self.entry.api_key_variable
            hint = f"check the key in {variable}" if variable else "set api_key_variable of its `endpoint`"
            raise JudgemergeError(f"{self.where}: HTTP {status}, access is refused; {hint}")
        if status in (400, 413, 422):
            detail = self._message(content)
            too_long = status == 413 or any(words in detail.lower() for words in _TOO_LONG)
            return Failure("prompt_too_long" if too_long else "endpoint_refused", f"HTTP {status}: {detail}")
        if status != 200:
            raise JudgemergeError(
                f"{self.where}: HTTP {status} from {self.url} ({self._message(content)}); "
                "correct `url` or `model` of its `endpoint`"
            )
        try:
            value = json.loads(content)
            choice = value["choices"][0]
            text, ended = _text(choice["message"].get("content")), choice.get("finish_reason")
            ended = "length" if str(ended).lower() in _AT_THE_LIMIT else ended
            thought = choice["message"].get("reasoning_content") or choice["message"].get("reasoning")
            scored = _scored(choice, labels) if labels else None
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            raise _TryAgain(f"no chat completion: {self._message(content)}") from None
        if str(ended).lower() in _BROKEN_OFF or text is None and ended not in ("stop", "length"):
            what = "no text" if text is None else "the text was broken off"
            return Failure("endpoint_refused", f"{what}, finish_reason is {self._shown(str(ended))}")
        if labels and scored is None:
            raise JudgemergeError(
                f"{self.where}: settings.logprobs of its `endpoint` is true, but the reply has no log-probabilities; "
                "take it out, and name a prompt of mode generate"
            )
        if not text and isinstance(thought, str) and ended == "length":
            text = f"<think>\n{thought}"  # the whole reply was thought, which the server gives apart
        counts = value.get("usage") if isinstance(value.get("usage"), dict) else {}
        tokens = (_count(counts.get(name)) for name in ("prompt_tokens", "completion_tokens"))
        if scored is not None:
            return Completion(scored, *tokens)  # a label was asked for, so that it does not matter where the text ends
        return Completion(text or "", *tokens, ended if isinstance(ended, str) else None)

    # ---- helpers ----

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        # Redirects are not followed: the key and the prompts belong to this address.
        return httpx.Client(timeout=self.entry.timeout, headers=headers, follow_redirects=False)

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Stopped

    def _note_retry(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception()
        if error.after:
            with self._lock:
                self._resume_at = max(self._resume_at, time.monotonic() + error.after)
        self._count("retries")
        logger.warning("%s: attempt %d failed: %s", self.where, state.attempt_number, error)

    def _count(self, what: str) -> None:
        with self._lock:
            self.counters[what] += 1

    def _message(self, content: bytes) -> str:
        """Return what an endpoint says about an error, from the usual places or as it is."""
        text = content[:2000].decode("utf-8", "replace")
        try:
            error = json.loads(content)
            error = error.get("error", error)
            text = str(error.get("message") or error.get("detail") or error) + f" {error.get('code') or ''}"
        except (ValueError, RecursionError, AttributeError):
            pass
        return self._shown(text)

    def _shown(self, text: str) -> str:
        """Return at most 200 printable characters on one line, never the key."""
        text = text.replace(self.api_key, "***") if self.api_key else text
        text = "".join(character if character.isprintable() else " " for character in text[:2000])
        return " ".join(text.split())[:200] or "nothing"


def _outcome(future: Future) -> tuple[Completion | Failure | None, JudgemergeError | None]:
    try:
        return future.result(), None
    except _Stopped:
        return None, None
    except JudgemergeError as error:
        return None, error


def _messages(text: str) -> str:
    """Return the messages before the beginning of an answer, which mode choices puts behind them."""
    return text[: json.JSONDecoder().raw_decode(text)[1]]


def _scored(choice: dict, labels: Sequence[str]) -> str | None:
    """Return the log-probabilities of labels as JSON, null for all where none is among the alternatives.

    They are read at the first token that is not white space alone. None where the reply has no log-probabilities.
    """
    tokens = (choice.get("logprobs") or {}).get("content")
    if not tokens:
        return None
    alternatives = next((one["top_logprobs"] or [one] for one in tokens if one["token"].strip()), [])
    sums = _label_logprobs([(one["token"].strip(), float(one["logprob"])) for one in alternatives], labels)
    return json.dumps({"logprobs": [value and round(value, 6) for value in sums], "tokens": [1] * len(labels)})


def _label_logprobs(alternatives: Sequence[tuple[str, float]], labels: Sequence[str]) -> list[float | None]:
    """Return the log-probability of each label: that of all tokens which are it, or the beginning of it alone."""
    shares = dict.fromkeys(labels, 0.0)
    for token, logprob in alternatives:
        begun = [label for label in labels if token and label.startswith(token)]
        if token in shares or len(begun) == 1:
            shares[token if token in shares else begun[0]] += math.exp(logprob)
    if not any(shares.values()):
        return [None] * len(labels)
    least = min(logprob for _, logprob in alternatives)
    return [math.log(share) if share else least for share in shares.values()]


def _text(content: Any) -> str | None:
    """Return the text of a message, which may come in parts; None when there is none."""
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if part.get("type") == "text")
    if content is not None and not isinstance(content, str):
        raise TypeError("content")
    # JSON can spell half of a surrogate pair, which no file can hold.
    return content if content is None else content.encode("utf-8", "replace").decode("utf-8")


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds in Retry-After, given as a number or a date (RFC 9110, 10.2.3); 0 when there are none."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError):
            return 0.0
        moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        seconds = (moment - datetime.datetime.now(datetime.UTC)).total_seconds()
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER) if seconds == seconds else 0.0


def _checked_key(api_key: str | None, variable: str | None) -> str | None:
    if api_key is None and variable is None:
        return None
    key = (api_key or "").strip()
    if not key or not key.isascii() or not key.isprintable():
        fault = "is not set" if not key else "holds characters that no key has"
        raise JudgemergeError(f"environment variable {variable} {fault}; put the endpoint's key there")
    return key


def load(model: str | Path, settings: Mapping[str, Any]) -> OpenAI:
    """Return the backend of an endpoint's manifest; `settings` may say `api_key` and the limits of the study file."""
    limits = {name: settings[name] for name in LIMITS if name in settings}
    return OpenAI(Endpoint.of({**files.read_json(model)["endpoint"], **limits}), settings.get("api_key"))
