import tempfile

import pytest

from stream.settings import SettingsError
from stream.stores import Stores


def test_a_machine_without_a_folder_that_can_be_written_is_told_of_the_settings(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))  # as of a read-only file system
    with pytest.raises(SettingsError, match=r"worker\.data_dir none: .*No such file.*TMPDIR"):
        Stores(None)
