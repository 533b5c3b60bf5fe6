"""Templates fill in texts, and reach nothing else."""

from __future__ import annotations

import pytest

from app.notifications.addresses import find_address_fault
from app.notifications.templates import TemplateFault, find_variables, render


def test_variables_filters_conditions_and_loops_are_filled_in() -> None:
    source = "{{ user.name|title }}{% if total > 10 %}!{% endif %}{% for item in items %} {{ item }}{% endfor %}"
    assert find_variables(source) == ["items", "total", "user"]
    filled = render(source, {"user": {"name": "ann"}, "total": 12, "items": ["a", "b"]}, escapes=False)
    assert filled == "Ann! a b"


def test_in_html_what_variables_hold_is_no_markup() -> None:
    assert render("<b>{{ name }}</b>", {"name": "<i>"}, escapes=True) == "<b>&lt;i&gt;</b>"
    assert render("{{ name }}", {"name": "<i>"}, escapes=False) == "<i>"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ name.__init__.__globals__ }}",
        "{{ name|attr('__class__') }}",
        "{{ name.upper() }}",
        "{{ range(1000000000) }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ name ~ name }}",
        "{{ [name, name]|join }}",
        "{{ '%s' % name }}",
        "{{ cycler.__init__ }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% set x = name %}{{ x }}",
        "{% macro m() %}{% endmacro %}",
        "{% for a in name %}{% for b in name %}{% for c in name %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ name|replace('a', 'aaaaaaaa') }}",
        "{{ name|default(name) }}",
        "{{ name",
        "{% if %}",
        "{{ " + "(" * 5000 + ")" * 5000 + " }}",
        "x" * 300_000,
    ],
)
def test_what_is_more_than_filling_in_is_refused(source: str) -> None:
    with pytest.raises(TemplateFault):
        render(source, {"name": "ann"}, escapes=False)


def test_a_variable_that_is_missing_is_a_fault() -> None:
    with pytest.raises(TemplateFault, match="undefined"):
        render("{{ nobody }}", {}, escapes=False)


def test_long_lists_and_long_results_are_refused() -> None:
    with pytest.raises(TemplateFault, match="1000 entries"):
        render("{{ a }}", {"a": list(range(2000))}, escapes=False)
    long = "{% for a in xs %}{% for b in xs %}{{ text }}{% endfor %}{% endfor %}"
    with pytest.raises(TemplateFault, match="longer than"):
        render(long, {"xs": list(range(1000)), "text": "y" * 100}, escapes=False)


@pytest.mark.parametrize("address", ["ann@shop.example", "a.b+c@x.co", "x@localhost"])
def test_addresses_are_taken(address: str) -> None:
    assert find_address_fault(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "ann",
        "ann@",
        "@shop.example",
        "ann@shop.example\r\nBcc: x@y.z",
        "ann@shop.example\n",
        "Ann <ann@shop.example>",
        "a..b@shop.example",
        ".a@shop.example",
        '"a b"@shop.example',
        "ann@shop.example, bob@shop.example",
        "änn@shop.example",
        "a" * 65 + "@shop.example",
        "ann@" + "x" * 300,
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    assert find_address_fault(address) is not None


def test_what_maps_hold_is_seen_and_what_they_can_do_is_not() -> None:
    order = {"items": [{"name": "a"}, {"name": "b"}]}
    source = "{% for one in order.items %}{{ loop.index }}{{ one.name }}{% if not loop.last %},{% endif %}{% endfor %}"
    assert render(source, {"order": order}, escapes=False) == "1a,2b"
    assert render("{{ order.keys|default('nothing') }}", {"order": order}, escapes=False) == "nothing"
    assert render("{{ items[1] }}{{ items[-1] }}", {"items": [1, 2]}, escapes=False) == "22"


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in x recursive %}{% endfor %}",
        "{{ loop }}",
        "{% if x %}" * 60 + "{% endif %}" * 60,
        "{{ x" + " + x" * 100 + " }}",
        "{{ x|upper }}" * 300,
        "{{x}}" * 2000,
        "{{x+x*x}}" * 20_000,
        "{#x#}" * 2000,
        "{{ x|sort(attribute='__class__') }}",
        "{{ x[9] }}",
    ],
)
def test_what_is_too_much_is_refused(source: str) -> None:
    with pytest.raises(TemplateFault):
        render(source, {"x": [1, 2]}, escapes=False)


def test_a_template_has_a_second_of_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.notifications.templates.SECONDS", 0.05)
    with pytest.raises(TemplateFault, match="longer than"):
        render("{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}", {"x": "y" * 50_000}, escapes=False)
