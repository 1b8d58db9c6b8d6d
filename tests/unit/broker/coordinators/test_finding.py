"""What the coordinators are told of who asks."""

import pytest

from holdwater.broker.connection import Call, Connection
from holdwater.broker.coordinators.finding import caller_of


class Nowhere:
    """A transport that nothing goes out by."""

    def write(self, connection_id: int, parts: list[bytes]) -> None:
        raise AssertionError("nothing is answered here")

    def close(self, connection_id: int) -> None:
        raise AssertionError("nothing is closed here")


@pytest.mark.parametrize(("address", "client_host"), [("127.0.0.1:51836", "/127.0.0.1"), ("::1:51836", "/::1")])
def test_a_caller_has_the_host_without_the_port(address: str, client_host: str) -> None:
    call = Call(Connection(7, "PLAINTEXT", address, Nowhere(), print), 11, 9, 3, None)  # pyright: ignore[reportArgumentType]
    assert caller_of(call) == (9, "", client_host, 7)
