"""Where things are reached."""

import pytest

from console.addresses import address, readable


@pytest.mark.parametrize(
    ("host", "for_programs", "for_people"),
    [
        ("127.0.0.1", "127.0.0.1:80", "localhost:80"),
        ("0.0.0.0", "127.0.0.1:80", "localhost:80"),  # noqa: S104 - nothing listens here
        ("::", "[::1]:80", "localhost:80"),
        ("10.0.0.1", "10.0.0.1:80", "10.0.0.1:80"),
        ("mesh.example.com", "mesh.example.com:80", "mesh.example.com:80"),
    ],
)
def test_an_address_leads_there_from_this_machine(
    host: str, for_programs: str, for_people: str
) -> None:
    assert address(host, 80) == for_programs
    assert readable(host, 80) == for_people
