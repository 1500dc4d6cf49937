"""`mulberry worker --check`: what a container's health check goes by."""

import pytest

from tests import factories
from webapp.runs.models import Worker
from workers.cli.main import main
from workers.processes import Host


@pytest.mark.django_db
def test_a_worker_of_this_host_counts_and_another_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    host = Host.this()
    factories.make_worker("cpu:0", hostname="elsewhere")
    assert main(["worker", "--check"]) == 1
    mine = factories.make_worker("cpu:0", hostname=host.hostname, boot_id=host.boot_id)
    assert main(["worker", "--check"]) == 0
    Worker.objects.filter(pk=mine.pk).update(stopped_at=mine.heartbeat_at)
    assert main(["worker", "--check"]) == 1
    assert "no worker of" in capsys.readouterr().out
