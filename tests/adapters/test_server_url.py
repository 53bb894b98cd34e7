"""URLs of brokers."""

import pytest

from automation_retry.adapters.server_url import server_urls

SECRET = "hunter2"


def test_several_urls_are_separated_by_commas() -> None:
    """Spaces around them do not matter; no text is no URL."""
    urls = server_urls("nats://ada:p%40ss@one:4222, tls://two", "nats", "tls")

    assert [url.hostname for url in urls] == ["one", "two"]
    assert server_urls("", "nats") == ()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"http://:{SECRET}@one", "must begin with nats:// or tls://"),
        (f"nats://ada:{SECRET}/x@one", "no valid host and port"),
        (f"nats://ada:12#{SECRET}@one", "a # or an @ after the host"),
        (f"nats://ada:12/{SECRET}@one", "a # or an @ after the host"),
        (f"nats://ada:{SECRET}%@one", "a % that begins no percent-encoding"),
        (f"nats://ada:{SECRET} @one", "spaces or control characters"),
        (f"nats://ada:{SECRET}@one:70000", "no valid host and port"),
        (f"nats://one,nats://ada:{SECRET}@[::1", "no valid host and port"),
    ],
)
def test_a_malformed_url_is_named_without_the_password(url: str, problem: str) -> None:
    """The message says how special characters are written."""
    with pytest.raises(ValueError, match=r"must|has|contains|cannot") as error:
        server_urls(url, "nats", "tls")

    assert problem in str(error.value)
    assert SECRET not in str(error.value)
