"""A bare HTTP client: no pool, no retries, no help."""

import http.client
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from spayon_flask.simulator.creation import Creation

#: A session that no client has asked for over HTTP.
CREATION = Creation("Coffee", Decimal(1000), "AMD", callback_url="https://shop.example/callback")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    code: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode()


class Bare:
    """Talk to one server over one connection that is kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._http = http.client.HTTPConnection(parts.netloc, timeout=10)
        self.token: str | None = None

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request as it is."""
        self._http.request(method, path, body, headers or {})
        response = self._http.getresponse()
        return Answer(response.status, response.read(), dict(response.getheaders()))

    def get(self, path: str, **headers: str) -> Answer:
        """GET with the token, if there is one."""
        return self.ask("GET", path, headers=self._authorized(headers))

    def post(self, path: str, fields: Any, **headers: str) -> Answer:
        """POST *fields* as JSON with the token, if there is one."""
        headers = {"Content-Type": "application/json", **self._authorized(headers)}
        return self.ask("POST", path, json.dumps(fields), headers)

    def log_in(self, **changes: Any) -> Answer:
        """Buy a token and use it from now on."""
        fields = {"client_id": "simulator-client", "client_secret": "simulator-secret", **changes}
        answer = self.post("/api/tokens", fields)
        self.token = answer.json.get("access_token")
        return answer

    def create(self, **changes: Any) -> Answer:
        """Ask for a session of a custom product."""
        fields = {"product_name": "Coffee", "price": 1000, "currency": "amd", **changes}
        return self.post("/api/product/session", fields)

    def status(self, session_id: str) -> Answer:
        """Ask how a session stands."""
        return self.get(f"/api/product/session/{session_id}")

    def _authorized(self, headers: dict[str, str]) -> dict[str, str]:
        return ({"Authorization": f"Bearer {self.token}"} if self.token else {}) | headers
