"""Which web pages of other origins may use the server (CORS): none, unless they are allowed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass

ANY = "*"
MAX_AGE = "600"  # seconds for which a browser keeps the answer to its question
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True)
class CrossOrigin:
    """The origins whose pages may read responses.

    Attributes:
        origins: such as `http://localhost:5173`; `*` allows all.
    """

    origins: tuple[str, ...] = ()

    def response_headers(self, request: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return what a response needs so that the page that sent the request may read it."""
        if ANY in self.origins:
            return [("Access-Control-Allow-Origin", ANY)]
        if not self.origins:
            return []
        allowed = request.get("origin") in self.origins
        origin = [("Access-Control-Allow-Origin", request["origin"])] if allowed else []
        return [*origin, ("Vary", "Origin")]

    def preflight_headers(self, request: Mapping[str, str], methods: str) -> list[tuple[str, str]]:
        """Return the answer to a browser that asks whether a page may send a request."""
        if ANY not in self.origins and request.get("origin") not in self.origins:
            return []
        headers = [
            ("Access-Control-Allow-Methods", methods),
            ("Access-Control-Allow-Headers", "Content-Type"),
            ("Access-Control-Max-Age", MAX_AGE),
        ]
        if "access-control-request-private-network" in request:  # a public page, a private address
            headers.append(("Access-Control-Allow-Private-Network", "true"))
        return headers


def parse_origin(text: str) -> str:
    """Parse an origin: `"HTTPS://App.example:443/"` -> `"https://app.example"`.

    Raises:
        argparse.ArgumentTypeError: it is neither an origin nor `*`.
    """
    origin = text.strip().lower().removesuffix("/")
    if origin != ANY and not _ORIGIN.fullmatch(origin):
        raise argparse.ArgumentTypeError(
            f"expected an origin such as http://localhost:5173, or * for all, found {text!r}"
        )
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition(":")[0], "\n"))
