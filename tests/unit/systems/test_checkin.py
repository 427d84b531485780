"""The check-in outside: the address as it was given, and never in an error."""

import httpx
import pytest

from systems.checkin import check_in
from systems.errors import SystemsError
from systems.http import Wire

URL = "https://ping.example/a-secret?create=1"


def test_the_address_is_asked_for_as_it_was_given() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url}")
        return httpx.Response(200, text="OK")

    check_in(URL, wire=Wire(transport=httpx.MockTransport(answer)))
    assert asked == [f"GET {URL}"]


def test_an_error_does_not_name_it() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, text=f"{request.url} is not known")

    with pytest.raises(SystemsError) as raised:
        check_in(URL, wire=Wire(transport=httpx.MockTransport(answer)))
    assert "secret" not in str(raised.value)
    assert raised.value.status == 404
