"""The language of conditions: what holds, and what is refused at which character."""

import pytest

from app.pipelines.definition import ConditionInvalid, State, evaluate, parse_condition, should_run

VARIABLES = {
    "BRANCH": "release/1.2",
    "COUNT": "10",
    "EMPTY": "",
    "FLAG": "true",
    "OFF": "False",
    "VERSION": "3.9",
    "MATRIX_PYTHON": "3.11",
    "lower": "here",
}
FINE = State()
FAILED = State(failed=True)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("${BRANCH} == 'release/1.2'", True),
        ("BRANCH == 'release/1.2'", True),
        ('"${BRANCH}" == "release/1.2"', True),
        ("'${BRANCH}' == 'release/1.2'", False),
        ('"v-${COUNT}" == "v-10"', True),
        ("BRANCH != 'main'", True),
        ("${lower} == 'here'", True),
        ("${NOTHING} == ''", True),
        ("${NOTHING:-main} == 'main'", True),
        ("${EMPTY:-main} == 'main'", True),
        ("FLAG", True),
        ("OFF", False),
        ("EMPTY", False),
        ("'0'", False),
        ("0", False),
        ("true", True),
        ("FLAG == true", True),
        ("COUNT == 10", True),
        ("COUNT == 10.0", False),
        ("COUNT > 9", True),
        ("COUNT < 9", False),
        ("COUNT >= 10 && COUNT <= 10", True),
        ("VERSION < 3.11", True),
        ("matrix.python >= 3.9", True),
        ("3.0 <= 3", True),
        ("-1 < 0", True),
        ("'abc' < 'abd'", True),
        ("!FLAG", False),
        ("!FLAG == 'x'", True),
        ("not FLAG or true", True),
        ("not (FLAG or true)", False),
        ("false && false || true", True),
        ("true || false && false", True),
        ("(true || false) && false", False),
        ("false and true or FLAG", True),
        ("BRANCH in ['main', 'release/1.2']", True),
        ("BRANCH in ['main']", False),
        ("BRANCH not in ['main']", True),
        ("!(BRANCH in ['main'])", True),
        ("contains(BRANCH, '1.2')", True),
        ("startsWith(BRANCH, 'release/')", True),
        ("endsWith(BRANCH, '.2')", True),
        ("matches(BRANCH, 'release/*')", True),
        ("matches(BRANCH, '*')", False),
        ("matches(BRANCH, '**')", True),
        ("contains(BRANCH, '1.2') == true", True),
        ('startsWith(BRANCH, "${NOTHING:-rel}")', True),
        ("'it\\'s' == \"it's\"", True),
        ("success()", True),
        ("failure()", False),
        ("always()", True),
        ("FLAG\n  and\n  true", True),
    ],
)
def test_what_a_condition_is_worth(expression, holds):
    assert evaluate(expression, VARIABLES, FINE) is holds


def test_the_state_functions_follow_what_went_before():
    assert [evaluate(f"{name}()", {}, FAILED) for name in ("success", "failure", "always")] == [False, True, True]


@pytest.mark.parametrize(
    ("expression", "fine", "failed"),
    [
        (None, True, False),
        ("FLAG", True, False),
        ("OFF", False, False),
        ("always()", True, True),
        ("failure()", False, True),
        ("failure() && OFF", False, False),
        ("!success()", False, True),
    ],
)
def test_what_does_not_ask_for_the_state_runs_only_when_nothing_failed(expression, fine, failed):
    assert should_run(expression, VARIABLES, FINE) is fine
    assert should_run(expression, VARIABLES, FAILED) is failed


def test_a_value_is_never_read_as_an_expression():
    assert not evaluate("${EVIL} == 'x'", {"EVIL": "' || true || '"}, FINE)
    assert not evaluate('"${EVIL}" == "x"', {"EVIL": "${FLAG}", "FLAG": "x"}, FINE)


@pytest.mark.parametrize(
    ("expression", "character", "words"),
    [
        ("", 1, "a value is expected"),
        ("BRANCH ==", 10, "a value is expected"),
        ("BRANCH = 'main'", 8, "equality is written =="),
        ("A & B", 3, "and is written &&"),
        ("A | B", 3, "or is written ||"),
        ("BRANCH == 'main", 11, "not closed"),
        ("BRANCH == main", 11, "text is written in quotes: 'main'"),
        ("$BRANCH == 'a'", 1, "a variable is written ${NAME}"),
        ("${BRANCH == 'a'", 1, "a variable is written ${NAME}"),
        ("${a-b} == 'a'", 1, "a variable is written ${NAME}"),
        ('A == "${a b}"', 7, "a variable is written ${NAME}"),
        ("A == 'a' B", 10, "an operator such as == or && is expected"),
        ("1 < 2 < 3", 7, "do not chain"),
        ("(A", 3, "')' is expected"),
        ("A)", 2, "an operator"),
        ("A in 'x'", 6, "'[' is expected"),
        ("A in []", 7, "a value is expected"),
        ("A in ['x'", 10, "']' is expected"),
        ("A not 'x'", 7, "'in' is expected"),
        ("and A", 1, "a value is expected"),
        ("contains(A)", 1, "contains() takes 2 arguments"),
        ("success(A)", 1, "success() takes no arguments"),
        ("exec('id')", 1, "there is no function exec; there are contains, startsWith"),
        ("os.system", 1, "text is written in quotes"),
        ("A ; B", 3, "no meaning"),
        ("A == `x`", 6, "no meaning"),
        ("(" * 21 + "A" + ")" * 21, 22, "at most 20 levels"),
        ("!" * 30 + "A", 22, "at most 20 levels"),
        ("matches(" * 30, 169, "at most 20 levels"),
        ("A" * 1001, 1001, "at most 1000 characters"),
    ],
)
def test_a_condition_is_refused_at_the_character_that_is_wrong(expression, character, words):
    with pytest.raises(ConditionInvalid) as refusal:
        parse_condition(expression)

    assert words in refusal.value.message
    assert refusal.value.character == character


def test_the_axes_a_condition_names_are_known_with_their_places():
    condition = parse_condition("matrix.os == 'linux' && \"${matrix.python}\" in [${matrix.db:-x}]")

    assert condition.axes == (("os", 1), ("python", 26), ("db", 48))
