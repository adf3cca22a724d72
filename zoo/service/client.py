"""A client of the service that comes again when it is told to, or when the service was away for a while."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from zoo.corpora.client import user_agent
from zoo.errors import ZooError
from zoo.service.messages import FoundEntity, ModelList, TaggedText, TagRequest

if TYPE_CHECKING:
    from typing_extensions import Self

_PASSING = frozenset({429, 502, 503})


class _AgainError(Exception):
    """The service asks to come again, or is not there."""

    def __init__(self, what: str, seconds: float | None = None) -> None:
        super().__init__(what)
        self.seconds = seconds


class Client:
    """Talks to one service; a context manager. Threads may share it.

    Args:
        address: Such as `http://127.0.0.1:8000`.
        key: API key, where the service wants one.
        patience_seconds: How long to come again while the service is busy or away.
        timeout_seconds: Longest that one answer may take.
    """

    def __init__(
        self, address: str, key: str | None = None, *, patience_seconds: float = 60.0, timeout_seconds: float = 120.0
    ) -> None:
        headers = {"User-Agent": user_agent(), **({"Authorization": f"Bearer {key}"} if key else {})}
        self._address, self._patience = address, patience_seconds
        self._client = httpx2.Client(base_url=address, headers=headers, timeout=timeout_seconds)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self._client.close()

    def models(self) -> ModelList:
        """Models that may be served, and which are loaded.

        Raises:
            ZooError: The service refuses, or is not there.
        """
        for attempt in self._attempts():
            with attempt:
                try:
                    answer = self._client.get("/v1/models")
                except httpx2.TransportError as error:
                    raise _AgainError(f"{type(error).__name__}: {error}") from None
                self._check(answer)
                return ModelList.model_validate_json(answer.content)
        raise AssertionError  # the last attempt raises or returns

    def tag(
        self,
        texts: Sequence[str],
        models: Sequence[str] | None = None,
        *,
        link: bool = False,
        assertion: bool = False,
        language: str = "en",
        min_score: float = 0.0,
    ) -> list[list[FoundEntity]]:
        """Find the entities of texts.

        Args:
            texts: Texts of any length.
            models: Names of loaded models; None: the only one.
            link: Give concepts.
            assertion: Say what the text says of each entity.
            language: Of the texts, for assertion.
            min_score: Leave out entities below it.

        Returns:
            Per text, entities in order of their start, by model.

        Raises:
            ZooError: The service refuses, is not there, or stays busy for longer than the client's patience.
        """
        options = {"link": link, "assertion": assertion, "language": language, "min_score": min_score}
        return list(self.stream(texts, models, **options))

    def stream(
        self,
        texts: Sequence[str],
        models: Sequence[str] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Iterator[list[FoundEntity]]:
        """As `tag`, each text as soon as it is answered; an answer that breaks off is asked for again from there.

        Args:
            texts: Texts of any length.
            models: Names of loaded models; None: the only one.
            options: As of `tag`.

        Yields:
            Entities of each text, in their order.

        Raises:
            ZooError: As of `tag`.
        """
        done = 0
        headers = {"Accept": "application/x-ndjson", "Content-Type": "application/json"}
        for attempt in self._attempts() if texts else ():
            with attempt:
                named = {"models": list(models)} if models else {}
                content = TagRequest(texts=list(texts[done:]), **named, **options).model_dump_json(exclude_unset=True)
                try:
                    with self._client.stream("POST", "/v1/tag", content=content, headers=headers) as answer:
                        if answer.is_error:
                            answer.read()
                        self._check(answer)
                        for line in answer.iter_lines():
                            if line.startswith('{"error"'):  # after the status was sent
                                raise ZooError(json.loads(line)["error"], where=self._address)
                            result = TaggedText.model_validate_json(line)
                            done += 1
                            yield result.entities
                except httpx2.TransportError as error:
                    raise _AgainError(f"{type(error).__name__}: {error}") from None
                if done < len(texts):
                    raise _AgainError("the answer broke off")

    def _attempts(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(_AgainError),
            wait=_wait,
            stop=stop_after_delay(self._patience),
            retry_error_callback=self._give_up,
        )

    def _give_up(self, state: RetryCallState) -> Any:  # noqa: ANN401 - as tenacity has it
        error = state.outcome.exception() if state.outcome else None
        raise ZooError(
            f"the service does not answer: {error}", where=self._address, fix="zoo serve there, or a longer patience"
        )

    def _check(self, answer: httpx2.Response) -> None:
        if not answer.is_error:
            return
        passing = answer.status_code in _PASSING
        try:
            said = answer.json()
            what, fix = str(said["error"]), said.get("fix")
        except (ValueError, KeyError, TypeError, AttributeError):
            what, fix = f"HTTP {answer.status_code}", None
            passing |= answer.status_code >= 500  # said by a proxy, of a service that is gone for a while
        if passing:
            seconds = answer.headers.get("Retry-After", "")
            raise _AgainError(what, float(seconds) if seconds.isdigit() else None)
        raise ZooError(what, where=f"{self._address}{answer.url.path}", fix=fix)


def _wait(state: RetryCallState) -> float:
    """What the service asks for, else longer from time to time."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.seconds if isinstance(error, _AgainError) else None
    return asked if asked is not None else wait_random_exponential(multiplier=0.2, max=5)(state)
