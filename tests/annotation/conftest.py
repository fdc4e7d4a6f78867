"""What tests of annotation share: the real Label Studio."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.annotation.live import LiveServer


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that lives as long as the session: one for each process of tests that asks for it.

    Tests share it, so each makes a project of its own and leaves the server running.
    """
    server = LiveServer(tmp_path_factory.mktemp("label-studio"))
    server.start()
    yield server
    server.stop()
