"""Walking through a folder: what counts as a file of the data set, and what is left out."""

import os
import socket

import pytest

from datasets.listing import FileState, Rejection, list_folder, printable, state_of


@pytest.fixture
def root(tmp_path):
    for path in ("cat/b.png", "cat/deep/er/a.png", "dog/c.png", "d.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x" * len(path))
    return tmp_path


def paths(listing):
    return [file.path for file in listing.files]


def reasons(listing):
    return {lost.path: lost.reason for lost in listing.rejected}


def test_files_are_listed_sorted_with_size_and_time(root):
    listing = list_folder(root, "", False)
    assert paths(listing) == ["cat/b.png", "cat/deep/er/a.png", "d.png", "dog/c.png"]
    status = (root / "d.png").stat()
    assert FileState("d.png", status.st_size, status.st_mtime_ns) in listing.files
    assert (listing.rejected, listing.passed_over) == ([], 0)


def test_a_subfolder_is_listed_with_paths_from_the_root(root):
    assert paths(list_folder(root, "cat/deep", False)) == ["cat/deep/er/a.png"]


def test_hidden_files_and_thumbnails_of_systems_are_counted_and_passed_over(root):
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._b.png"):
        (root / "cat" / name).write_bytes(b"x")
    (root / "cat" / "__MACOSX").mkdir()
    (root / "cat" / "__MACOSX" / "b.png").write_bytes(b"x")
    listing = list_folder(root, "", False)
    assert listing.passed_over == 5
    assert len(listing.files) == 4


def test_a_link_within_the_root_is_followed(root):
    (root / "dog" / "link.png").symlink_to(root / "cat" / "b.png")
    (root / "linked").symlink_to(root / "cat")
    assert {"dog/link.png", "linked/b.png"} <= set(paths(list_folder(root, "", False)))


def test_a_link_out_of_the_root_is_refused_unless_allowed(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x.png").write_bytes(b"x")
    (root / "cat" / "file.png").symlink_to(outside / "x.png")
    (root / "cat" / "folder").symlink_to(outside)
    refused = reasons(list_folder(root, "", False))
    assert set(refused) == {"cat/file.png", "cat/folder"}
    assert all(reason.startswith("outside of the root") for reason in refused.values())
    assert {"cat/file.png", "cat/folder/x.png"} <= set(paths(list_folder(root, "", True)))


def test_a_folder_with_a_similar_name_is_outside(root):
    sibling = root.with_name(root.name + "-sibling")
    sibling.mkdir()
    (sibling / "x.png").write_bytes(b"x")
    (root / "cat" / "file.png").symlink_to(sibling / "x.png")
    assert reasons(list_folder(root, "", False))["cat/file.png"].startswith("outside of the root")


@pytest.mark.timeout(20)
def test_loops_of_links_are_refused_and_end(root):
    (root / "cat" / "up").symlink_to(root)
    (root / "cat" / "self").symlink_to(root / "cat" / "self")
    (root / "dog" / "one").symlink_to(root / "dog" / "two")
    (root / "dog" / "two").symlink_to(root / "dog" / "one")
    refused = reasons(list_folder(root, "", False))
    assert set(refused) == {"cat/up", "cat/self", "dog/one", "dog/two"}
    assert all(reason.startswith("symlink loop") for reason in refused.values())


@pytest.mark.timeout(20)
def test_two_folders_that_link_to_each_other_end(root):
    (root / "cat" / "dogs").symlink_to(root / "dog")
    (root / "dog" / "cats").symlink_to(root / "cat")
    listing = list_folder(root, "", False)
    assert any(reason.startswith("symlink loop") for reason in reasons(listing).values())
    assert len(listing.files) == 4 + 1 + 2


def test_a_link_that_leads_nowhere_is_refused(root):
    (root / "cat" / "lost.png").symlink_to(root / "nowhere.png")
    assert reasons(list_folder(root, "", False)) == {
        "cat/lost.png": "missing: no such file, or a link that leads nowhere"
    }


@pytest.mark.timeout(20)
def test_pipes_and_sockets_are_refused_unopened(root):
    os.mkfifo(root / "cat" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        before = os.getcwd()
        os.chdir(root / "cat")
        server.bind("socket.png")
        os.chdir(before)
        refused = reasons(list_folder(root, "", False))
    assert set(refused) == {"cat/pipe.png", "cat/socket.png"}
    assert all(reason.startswith("not a regular file") for reason in refused.values())


def test_a_name_that_is_not_utf_8_is_refused_and_printable(root):
    with open(os.fsencode(root / "cat") + b"/b\xffd.png", "wb") as file:
        file.write(b"x")
    os.mkdir(os.fsencode(root) + b"/cl\xe9")
    refused = reasons(list_folder(root, "", False))
    assert refused == dict.fromkeys(("cat/b\\xffd.png", "cl\\xe9"), "name is not valid UTF-8: rename the file")


@pytest.mark.skipif(os.geteuid() == 0, reason="the super-user may read every folder")
def test_a_folder_without_permission_is_refused(root):
    (root / "cat" / "deep").chmod(0)
    refused = reasons(list_folder(root, "", False))
    (root / "cat" / "deep").chmod(0o755)
    assert refused == {"cat/deep": "unreadable: permission denied"}


def test_one_file_is_found_by_its_relative_path_only_within_the_root(root, tmp_path_factory):
    assert state_of(root, "cat/b.png", False) == FileState("cat/b.png", 9, (root / "cat/b.png").stat().st_mtime_ns)
    for path in ("../outside.png", "cat", "missing.png", "cat/../../outside.png"):
        assert isinstance(state_of(root, path, False), Rejection)


def test_printable_leaves_good_names_alone():
    assert printable("Blüte 花.png") == "Blüte 花.png"
