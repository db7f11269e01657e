import itertools

import pytest

from ncjax.data.glyph_classes import FACES, distinct_letters, letters_of_all_faces, render, standard_classes


def test_identical_in_any_face_means_only_one_stays():
    kept = set(distinct_letters())
    for face in FACES:
        seen: dict[tuple[tuple[int, int], bytes], str] = {}
        for letter in letters_of_all_faces():
            ink = render(letter, face)
            twin = seen.setdefault((ink.size, ink.tobytes()), letter)
            assert twin == letter or not {twin, letter} <= kept, (face, twin, letter)


@pytest.mark.parametrize(
    "alike",
    [
        "Oo0",  # differ in size and proportion
        "AΑА",  # Latin, Greek and Cyrillic of one shape
        "mт",  # alike in the slanted serif faces alone
        "lI",
        "sS",
        "pР",
    ],
)
def test_look_alikes_do_not_both_stay(alike):
    assert len(set(alike) & set(distinct_letters())) <= 1


def test_familiar_letters_stay():
    assert set("0123479ACHKLQRTVWXYZbdef") <= set(distinct_letters())


def test_split_is_disjoint_and_of_the_promised_sizes():
    classes = standard_classes()
    assert {name: len(letters) for name, letters in classes.items()} == {"source": 64, "validation": 16, "target": 20}
    assert all(not set(a) & set(b) for a, b in itertools.combinations(classes.values(), 2))
    assert set().union(*classes.values()) <= set(distinct_letters())
