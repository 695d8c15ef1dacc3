"""Connections: kept alive to one base URL, one pool a process."""

from __future__ import annotations

import os
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import default_headers

from ..errors import ConfigError


#: Connections kept alive; threads beyond that many open one for the call.
POOL_SIZE = 64

_HEADERS = {**default_headers(), "Accept": "application/json", "User-Agent": "spayon-flask"}


class _OneHost(HTTPAdapter):
    """An adapter for one host, with the same proxies and certificates for every call."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=POOL_SIZE)
        self._pool: Any = None

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """Return the pool of connections: always the same, so it is looked for only once."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **options)

        return self._pool


class Connections:
    """Requests to *base_url*, and the session that sends them, shared by all threads.

    Raises `ConfigError` where no request can be made to *base_url*.
    """

    def __init__(self, base_url: str) -> None:
        try:
            self._request = requests.Request("GET", base_url, _HEADERS).prepare()

        except requests.RequestException as error:
            raise ConfigError(f"API_URL is no URL to send requests to: {error}") from None

        # As it goes over the wire: with its host in ASCII.
        self._base_url = str(self._request.url).rstrip("/")
        self._adapter: HTTPAdapter | None = None
        self._http = self._new_http()
        self._pid = os.getpid()

    @property
    def http(self) -> requests.Session:
        """What sends the requests of this process."""
        # After a fork, parent and child would write into one and the same connection.
        if self._pid != os.getpid():
            self._http = self._new_http()
            self._pid = os.getpid()

        return self._http

    def answer_with(self, adapter: HTTPAdapter) -> None:
        """Let *adapter* answer from now on, in place of the network; for tests."""
        self._adapter = adapter
        self._http = self._new_http()

    def request(
        self, method: str, path: str, json: Any, token: str | None
    ) -> requests.PreparedRequest:
        """Return a request for *path*, with *json* as its body and *token* as its bearer token."""
        # A copy: to prepare each anew would take half as long as all the rest of a call.
        request = self._request.copy()
        request.method, request.url = method, self._base_url + path

        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"

        if json is not None:
            request.prepare_body(None, None, json)

        return request

    def _new_http(self) -> requests.Session:
        http = requests.Session()
        adapter = self._adapter or _OneHost()
        http.mount("https://", adapter)
        http.mount("http://", adapter)

        # Nothing of one call may colour the next, and threads share this object.
        http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

        # Proxies and certificates of the environment, read once: half of a call went into that.
        found = http.merge_environment_settings(self._base_url, {}, None, None, None)
        http.proxies, http.verify, http.cert = found["proxies"], found["verify"], found["cert"]
        http.trust_env = False
        return http
