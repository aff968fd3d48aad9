"""Files whose chat template is hostile: endless, huge, curious, or no Jinja."""

from functools import partial

from tests.frontends.bad_files.bad_file import BadFile, BadFiles
from tests.frontends.gguf_bytes import llama_bytes


def _repeated(body: str, times: int, start: str = "", end: str = "") -> str:
    return start + body * times + end


def _doubled(expression: str, start: str = "'a'", times: int = 60, end: str = "") -> str:
    return _repeated(f"{{% set x = {expression} %}}", times, f"{{% set x = {start} %}}", end)


STEPS, CHARACTERS, ITEMS = "takes more than", "builds more than 4194304 characters", "a value of more than 10000 items"
LONG, SHORTER = (_doubled("x ~ x", times=times) for times in (20, 19))
"""x is a text of 2^20 or of 2^19 characters."""

MALFORMED = {
    "syntax": ("{% if %}", "TemplateSyntaxError"),
    "an end that is missing": ("{% for m in messages %}", "TemplateSyntaxError"),
    "an unknown statement": ("{% eval x %}", "TemplateSyntaxError"),
    "an unknown filter": ("{{ 1 | shell }}", "No filter named 'shell'"),
    "an unknown test": ("{{ 1 is shell }}", "No test named 'shell'"),
    "too long": ("x" * 65_537, "65537 characters, at most 65536 are accepted"),
    "too many parts": ("{{a}}" * 13_000, "has more than 4096 parts"),
    "deep parentheses": ("{{" + "(" * 20_000 + "1" + ")" * 20_000 + "}}", "RecursionError"),
    "deep lists": ("{{" + "[" * 20_000 + "]" * 20_000 + "}}", "RecursionError"),
    "deep conditions": (_repeated("{% if 1 %}", 3000, end="{% endif %}" * 3000), "RecursionError"),
    "deep loops": (_repeated("{% for a in b %}", 90, end="{% endfor %}" * 90), "too many statically nested blocks"),
    "many signs": ("{{" + "-" * 60_000 + "1}}", "RecursionError"),
    "many attributes": ("{{ a" + ".b" * 30_000 + " }}", "RecursionError"),
    "a number too long": ("{{" + "9" * 60_000 + "}}", "ValueError"),
}
ENDLESS = {
    "its own refusal": ("{{ raise_exception('roles must alternate') }}", "TemplateError: roles must alternate"),
    "a refusal in colour": ("{{ raise_exception('\x1b[31m\nred') }}", "TemplateError: [31m red"),
    "nested loops": ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", STEPS),
    "a loop that calls itself": (
        "{% for a in range(99) recursive %}{% if loop.depth < 9 %}{{ loop(range(99)) }}{% endif %}{% endfor %}",
        STEPS,
    ),
    "large range": ("{% for a in range(10**1 * 1000000) %}{% endfor %}", "the operator ** is not accepted"),
    "larger range": ("{{ range(1000000000) | list | length }}", "range of 1000000000 numbers, at most 10000"),
    "endless recursion": ("{% macro f(n) %}{{ f(n - 1) }}{{ f(n - 1) }}{% endmacro %}{{ f(3) }}", "RecursionError"),
    "macros that call each other": (
        "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
        "RecursionError",
    ),
    "a block in itself": ("{% block a %}{{ self.a() }}{% endblock %}", "RecursionError"),
    "branching recursion": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        STEPS,
    ),
    "a deep chain of filters": ("{{ (1" + "|d" * 400 + ")|list }}", "RecursionError"),
    "many searches": (
        LONG + "{% for a in range(999) %}{% for b in range(99) %}{% if 'ab' in x %}{% endif %}{% endfor %}{% endfor %}",
        STEPS,
    ),
    "a long search from the end": (SHORTER + "{{ x.rfind('ab' ~ x[9999:]) }}", STEPS),
    "a long set of characters to strip": (SHORTER + "{{ x.strip('b' ~ x) }}", STEPS),
    "a long set of characters to trim": (SHORTER + "{{ x | trim('b' ~ x) }}", STEPS),
    "a long path of attributes": (
        "{% set n = namespace() %}{% set n.n = n %}{% set x = [n] %}"
        + "{% set x = x + x %}" * 12
        + "{{ x | map(attribute='n"
        + ".n" * 20_000
        + "') | list }}",
        STEPS,
    ),
    "many copies by filter": (LONG + "{% for a in range(9) %}{{ x | upper | length }}{% endfor %}", CHARACTERS),
    "rounding to many digits": ("{{ 5 | round(-30000000) }}", "rounding to -30000000 decimals, at most 16"),
    "rounding down, many digits": ("{{ 5 | round(30000000, 'floor') }}", "rounding to 30000000 decimals, at most 16"),
    "a punycode": ("{{ messages[0].content.encode('punycode') }}", "access to attribute 'encode'"),
    "division of long integers": (
        _doubled("x ~ x", "'f'", 18) + "{{ ((x ~ x) | int(base=16)) // (x | int(base=16)) }}",
        "an integer of more than 64 bits",
    ),
    "comparison of deep lists": (_doubled("[x, x]", times=24, end="{{ x == [x, [x]] }}"), ITEMS),
}
HUGE = {
    "doubling by ~": (_doubled("x ~ x"), CHARACTERS),
    "doubling by +": (_doubled("x + x"), CHARACTERS),
    "doubling by join": (_doubled("[x, x] | join"), CHARACTERS),
    "doubling by replace": (_doubled("x.replace('a', 'aa')"), CHARACTERS),
    "doubling by the filter": (_doubled("x | replace('a', 'aa')"), CHARACTERS),
    "doubling a list": (_doubled("x + x", "[1]"), ITEMS),
    "doubling a list of lists": (_doubled("[x, x]", end="{{ x }}"), ITEMS),
    "doubling a tuple": (_doubled("(x, x)", end="{{ {x: 1} }}"), ITEMS),
    "doubling a dict": (_doubled("{'a': x, 'b': x}", end="{{ x | tojson }}"), ITEMS),
    "doubling by dict()": (_doubled("dict(a=x, b=x)", end="{{ x }}"), ITEMS),
    "doubling by arguments": (
        "{% macro f(n) %}{% if n %}{{ f(n-1, varargs, varargs) }}{% else %}{{ varargs }}{% endif %}{% endmacro %}"
        "{{ f(60) }}",
        ITEMS,
    ),
    "doubling by a block": (
        _repeated("{% set x %}{{ x }}{{ x }}{% endset %}", 60, "{% set x = 'a' %}"),
        CHARACTERS,
    ),
    "a namespace in itself": (
        "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
        "writing out a _Namespace is not accepted",
    ),
    "text in a loop": ("{% for i in range(9999) %}" + "x" * 20_000 + "{% endfor %}", CHARACTERS),
    "a constant in a loop": ("{% for i in range(9999) %}{{ '" + "x" * 20_000 + "' }}{% endfor %}", CHARACTERS),
    "many slices": (LONG + "".join(f"{{% set a{i} = x[1:] %}}" for i in range(200)), CHARACTERS),
    "many lists": (LONG + "".join(f"{{% set a{i} = x.split('a') %}}" for i in range(30)), ITEMS),
    "a list of characters": (LONG + "{{ x | list | length }}", ITEMS),
    "repeating": ("{{ 'a' * 1000000000 }}", "repeating a text or a list is not accepted"),
    "repeating a list": ("{{ 1000000000 * [1] }}", "repeating a text or a list is not accepted"),
    "large integer": (_doubled("x * x", "9", end="{{ x }}"), "an integer of more than 64 bits"),
    "bytes of an integer": ("{{ (1).to_bytes(1500000000, 'big') }}", "access to attribute 'to_bytes'"),
    "padding by formatting": ("{{ '%999999999d' % 1 }}", "formatting with % is not accepted"),
    "padding by format()": ("{{ '{:999999999}'.format(1) }}", "access to attribute 'format'"),
    "padding by method": ("{{ 'a'.center(999999999) }}", "access to attribute 'center'"),
    "padding by filter": ("{{ 'a' | center(999999999) }}", "No filter named 'center'"),
    "padding by json": ("{{ [1] | tojson(indent=999999999) }}", "tojson indent is 999999999, at most 8"),
}
CURIOUS = {
    "internals": ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__'"),
    "internals by item": ("{{ ''['__class__']['__mro__'] }}", "access to attribute '__class__'"),
    "internals by filter": ("{{ '' | attr('__class__') }}", "No filter named 'attr'"),
    "internals by map": ("{{ ([''] | map(attribute='__class__') | first).x }}", "access to attribute '__class__'"),
    "internals of a global": ("{{ range.__globals__.os }}", "access to attribute '__globals__'"),
    "internals of a macro": (
        "{% macro f() %}{% endmacro %}{{ f.__init__.__globals__ }}",
        "access to attribute '__init__'",
    ),
    "internals of a format": ("{{ '{0.__class__}'.format(1) }}", "access to attribute 'format'"),
    "a class": ("{{ dict.mro() }}", "access to attribute 'mro'"),
    "changing the messages": ("{{ messages.append(1) }}", "access to attribute 'append'"),
    "an address": ("{{ ''.upper }}", "writing out a builtin_function_or_method is not accepted"),
    "the date": ("{{ strftime_now('%Y') }}", "'strftime_now' is undefined"),
    "chance": ("{{ [1, 2] | random }}", "No filter named 'random'"),
    "including a file": ("{% include '/etc/passwd' %}", "no loader"),
    "importing a file": ("{% import '/etc/passwd' as x %}", "no loader"),
    "extending itself": ("{% extends self %}", "TypeError"),
    "the host's names": ("{{ cycler.__init__.__globals__.os.popen('id') }}", "access to attribute '__init__'"),
}
HOSTILE: dict[str, tuple[str, str]] = {**MALFORMED, **ENDLESS, **HUGE, **CURIOUS}

TEMPLATES: BadFiles = {
    **{
        name: BadFile(partial(llama_bytes, {"tokenizer.chat_template": source}), words)
        for name, (source, words) in HOSTILE.items()
    },
    "missing": BadFile(partial(llama_bytes, {"tokenizer.chat_template": None}), "chat template: there is none"),
}
