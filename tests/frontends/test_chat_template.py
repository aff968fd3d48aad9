"""Chat templates: what they render. What is refused is in `tests.frontends.bad_files.templates`."""

import json
from dataclasses import replace

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from waterclock.errors import InputError
from waterclock.frontends.chat_template import ChatTemplate, read_chat_template
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
    "slices": ("{{ messages[1:][0].role }}{{ 'abc'[::-1] }}{{ messages[::-1][0].role }}", "assistantcbaassistant"),
    "text in loops": ("{% for m in messages -%} a {{- 'b' }} {% endfor %}", "ab ab "),
    "tuples": (
        "{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}{% set a, b = 1, 2 %}{{ (a, b) }}",
        "a1(1, 2)",
    ),
    "comparisons": ("{{ 1 < 2 < 3 }}{{ 'a' in 'abc' }}{{ messages[0].role == 'user' }}", "TrueTrueTrue"),
    "tests": ("{{ x is defined }}{{ 4 is divisibleby 2 }}{{ messages is iterable }}", "FalseTrueTrue"),
    "filters of lists": (
        "{{ messages | map(attribute='role') | map('upper') | list }}{{ messages | selectattr('role', 'eq', 'user')"
        " | list | length }}{{ [3, 1] | sort | first }}{{ 'aab' | unique | join }}{{ [1, 2] | reverse | list }}",
        "['USER', 'ASSISTANT']11ab[2, 1]",
    ),
    "rounding": ("{{ 2.567 | round(2) }} {{ 2.5 | round(method='floor') }} {{ 7 // 2 }} {{ 7 / 2 }}", "2.57 2.0 3 3.5"),
    "arguments": (
        "{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{{ caller() }}{% endmacro %}"
        "{% call f(1, 2, b=3) %}c{% endcall %}",
        "1(2,){'b': 3}c",
    ),
    "a loop that calls itself": (
        "{% for x in [[1, 2], [3]] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}",
        "123",
    ),
    "blocks": ("{% set x %}a{{ 1 }}{% endset %}{{ x }}{% filter upper %}b{{ x }}{% endfilter %}", "a1BA1"),
    "as Llama 3 does it": (
        "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|' + message['role']"
        " + '|>\n\n' + message['content'] | trim + '<|eot|>' %}{% if loop.index0 == 0 %}"
        "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}",
        "<s><|user|>\n\nhi é {{ x }}<|eot|><|assistant|>\n\n<b><|eot|>",
    ),
    "as Mistral does it": (
        "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m['content'] }}]{% endfor %}",
        "[hi é {{ x }}][<b>]",
    ),
    "as Qwen 3 does it": (
        "{%- set ns = namespace(found=false, last=messages|length - 1) %}"
        "{%- for message in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}"
        "{%- if not ns.found and message.role == 'user' and message.content is string and not"
        " (message.content.startswith('<t>') and message.content.endswith('</t>')) %}"
        "{%- set ns.found = true %}{%- set ns.last = index %}{%- endif %}{%- endfor %}"
        "{%- for message in messages %}{%- set content = message.content.split('</think>')[-1].lstrip('\n') %}"
        "{%- if loop.last or (not loop.last and tools) %}{{- content.rstrip('\n') }}{%- endif %}{%- endfor %}"
        "{{- ns.last }}{%- if enable_thinking is defined and enable_thinking is false %}x{%- endif %}",
        "<b>0",
    ),
    "generation prompt": ("{% if add_generation_prompt %}go{% endif %}", "go"),
}


@pytest.mark.parametrize(("source", "expected"), RENDERED.values(), ids=RENDERED.keys())
def test_templates_render(source: str, expected: str) -> None:
    assert ChatTemplate(source, "<s>", "</s>").render(MESSAGES) == expected


@pytest.mark.parametrize("source", [source for source, _ in RENDERED.values()], ids=RENDERED.keys())
def test_they_render_as_in_jinja_s_own_sandbox(source: str) -> None:
    given = {"messages": MESSAGES, "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": False}
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = json.dumps  # Jinja's escapes for HTML
    expected = environment.from_string(source).render(given)
    assert ChatTemplate(source, "<s>", "</s>").render(MESSAGES, add_generation_prompt=False) == expected


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


def test_a_template_can_be_rendered_again_and_again() -> None:
    """Each time on a budget of its own."""
    template = ChatTemplate("{% for a in range(999) %}{% for b in range(40) %}{% endfor %}{% endfor %}x")
    assert [template.render(MESSAGES) for _ in range(4)] == ["x"] * 4


def test_what_is_refused_names_the_model(small_tokenizer: Tokenizer) -> None:
    hostile = replace(small_tokenizer, chat_template="{{ 9 ** 9 }}")
    with pytest.raises(InputError, match=r"^a\.gguf: chat template: SecurityError: the operator \*\* is not accepted"):
        read_chat_template(hostile, "a.gguf").render(MESSAGES)
    with pytest.raises(InputError, match=r"^a\.gguf: chat template: there is none"):
        read_chat_template(replace(small_tokenizer, chat_template=None), "a.gguf")
