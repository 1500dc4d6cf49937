"""A NUL character is left out wherever it stands, before PostgreSQL refuses it."""

import pytest
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "address", ["/search/?q=%00", "/compare/?experiment1=a-%001", "/experiments/?q=%00&%00=1"]
)
def test_an_address_may_hold_nul(client: Client, address: str) -> None:
    client.force_login(factories.make_experiment("a-1").owner)
    assert client.get(address).status_code in (200, 400)


def test_it_is_left_out_and_the_rest_is_kept(client: Client) -> None:
    client.force_login(factories.make_experiment("a-1").owner)
    assert (
        "there is no experiment &#x27;b-1&#x27;"
        not in client.get("/compare/?experiment1=b-%001").content.decode()
    )
    assert "there is no experiment 'b-1'" in client.get("/compare/?experiment1=b-%001").content.decode()
