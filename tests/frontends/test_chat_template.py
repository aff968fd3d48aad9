"""Chat templates: what they render, and that a hostile one is stopped."""

import pytest

from waterclock.errors import InputError
from waterclock.frontends.chat_template import MAX_TEMPLATE_CHARACTERS, ChatTemplate, read_chat_template
from waterclock.frontends.tokenizer import Tokenizer

MESSAGES = [{"role": "user", "content": "hi é {{ x }}"}, {"role": "assistant", "content": "<b>"}]

RENDERED = {
    "variables": ("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}", "<s>hi é {{ x }}</s>"),
    "loop": (
        "{% for m in messages %}{{ loop.index }}/{{ loop.length }}{{ loop.last }};{% endfor %}",
        "1/2False;2/2True;",
    ),
    "break": ("{% for m in messages %}{{ m.role }}{% break %}{% endfor %}", "user"),
    "nothing to loop": ("{% for m in none_such %}x{% else %}empty{% endfor %}", "empty"),
    "blocks trimmed": ("  {% if true %}\nx\n  {% endif %}\ny", "x\ny"),
    "concatenation": ("{{ 1 ~ 'x' ~ none }}", "1xNone"),
    "json": ("{{ messages[1] | tojson }}", '{"role": "assistant", "content": "<b>"}'),
    "join and replace": (
        "{{ [1, 2] | join(', ') }}{{ 'aXb'.replace('X', '-') }}{{ 'x' | replace('x', 'y') }}",
        "1, 2a-by",
    ),
    "join by attribute": ("{{ messages | join('+', attribute='role') }}", "user+assistant"),
    "namespace": (
        "{% set n = namespace(i=0) %}{% for m in messages %}{% set n.i = n.i + 1 %}{% endfor %}{{ n.i }}",
        "2",
    ),
    "macro": ("{% macro f(x) %}[{{ x }}]{% endmacro %}{{ f(1) }}{{ f(2) }}", "[1][2]"),
    "methods": ("{{ 'a b'.split(' ')[0].strip() }}{{ 'abc'.startswith('a') }}", "aTrue"),
    "generation prompt": ("{% if add_generation_prompt %}go{% endif %}", "go"),
}

REFUSED = {
    "syntax": ("{% if %}", "TemplateSyntaxError"),
    "its own refusal": ("{{ raise_exception('roles must alternate') }}", "TemplateError: roles must alternate"),
    "nested loops": ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "steps"),
    "large range": ("{% for a in range(10**1 * 1000000) %}{% endfor %}", r"operator \*\*"),
    "larger range": ("{{ range(1000000000) | list | length }}", "range of 1000000000"),
    "endless recursion": ("{% macro f(n) %}{{ f(n - 1) }}{{ f(n - 1) }}{% endmacro %}{{ f(3) }}", "RecursionError"),
    "branching recursion": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "steps|seconds",
    ),
    "doubling by ~": ("{% set x = 'a' %}" + "{% set x = x ~ x %}" * 60, "characters"),
    "doubling by +": ("{% set x = 'a' %}" + "{% set x = x + x %}" * 60, "characters"),
    "doubling by join": ("{% set x = 'a' %}" + "{% set x = [x, x] | join %}" * 60, "characters"),
    "doubling by replace": ("{% set x = 'a' %}" + "{% set x = x.replace('a', 'aa') %}" * 60, "characters"),
    "doubling a list": ("{% set x = [1] %}" + "{% set x = x + x %}" * 60, "list of more than"),
    "doubling by a block": ("{% set x = 'a' %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 60, "characters"),
    "long output": ("{% set x = 'a' * 3 %}", "repeating"),
    "large integer": ("{% set x = 9 %}" + "{% set x = x * x %}" * 60 + "{{ x }}", "integer of more than"),
    "padding by format": ("{{ '%999999999d' % 1 }}", "formatting with %"),
    "padding by method": ("{{ 'a'.center(999999999) }}", "center"),
    "padding by filter": ("{{ 'a' | center(999999999) }}", "center"),
    "padding by json": ("{{ [1] | tojson(indent=999999999) }}", "indent"),
    "internals": ("{{ ''.__class__.__mro__ }}", "__class__|__mro__"),
    "internals by filter": ("{{ '' | attr('__class__') }}", "attr"),
    "changing the messages": ("{{ messages.append(1) }}", "append"),
    "the date": ("{{ strftime_now('%Y') }}", "strftime_now"),
    "chance": ("{{ [1, 2] | random }}", "random"),
    "including a file": ("{% include '/etc/passwd' %}", "no loader"),
}


@pytest.mark.parametrize(("source", "expected"), RENDERED.values(), ids=RENDERED.keys())
def test_templates_render(source: str, expected: str) -> None:
    assert ChatTemplate(source, "<s>", "</s>").render(MESSAGES) == expected


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_template_may_not_do_is_refused(source: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        ChatTemplate(source).render(MESSAGES)
    assert str(error.value).startswith("chat template: ")
    assert "\n" not in str(error.value)


def test_a_model_s_own_template(small_tokenizer: Tokenizer) -> None:
    template = read_chat_template(small_tokenizer)
    turn = "<|im_start|>user\nhi<|im_end|>\n"
    messages = [{"role": "user", "content": "hi"}]
    assert template.render(messages) == f"{turn}<|im_start|>assistant\n"
    assert template.render(messages, add_generation_prompt=False) == turn
    assert (template.bos_token, template.eos_token) == ("<|im_start|>", "<|im_end|>")


@pytest.mark.parametrize(
    "message", [{}, {"role": "user"}, {"role": 1, "content": "x"}, {"role": "user", "content": None}]
)
def test_malformed_messages_are_refused(message: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"messages\[1\]"):
        ChatTemplate("").render([MESSAGES[0], message])


def test_a_huge_template_is_refused() -> None:
    with pytest.raises(InputError, match="65537 characters"):
        ChatTemplate("x" * (MAX_TEMPLATE_CHARACTERS + 1))
