from weirworks_inference.core.versions import Registered, Status, preferred


def registered(*rows: tuple[str, Status, int]) -> dict[str, Registered]:
    return {version: Registered(version, status, "", promotion) for version, status, promotion in rows}


def test_without_a_registry_the_highest_number_answers() -> None:
    assert preferred(["1", "10", "9"], {}) == ["10", "9", "1"]


def test_the_active_version_answers_and_the_one_before_it_stands_by() -> None:
    rows = registered(
        ("1", Status.INACTIVE, 1), ("2", Status.INACTIVE, 2), ("3", Status.ACTIVE, 3), ("4", Status.TESTING, 0)
    )
    assert preferred(["1", "2", "3", "4", "5"], rows) == ["3", "2", "1"]


def test_an_active_version_that_is_not_on_disk_is_passed_over() -> None:
    rows = registered(("1", Status.INACTIVE, 1), ("2", Status.ACTIVE, 2))
    assert preferred(["1"], rows) == ["1"]


def test_a_model_with_nothing_promoted_has_no_default_but_by_number() -> None:
    assert preferred(["1", "2"], registered(("1", Status.TESTING, 0))) == []
    assert preferred(["3"], registered(("1", Status.ACTIVE, 1))) == ["3"]
