/* Chat templates: which could be parsed, where the others break, and what they speak of. */
#include "model/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* As small models have it. */
static const char chatml[] =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are helpful<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

static void test_what_parses(void **state)
{
    static const char *const cases[] = {
        "", "plain text", "{", "}", "a } b }} c %} d #}", "{{ x }}", "{{- x -}}", "{%- if x -%}a{%- elif y -%}b{%- else -%}c{%- endif -%}", "{%+ if x %}{% endif +%}",
        "{% for a in b %}{% else %}{% endfor %}", "{# {{ {% if #}", "{#- x -#}", "{{ {'a': {'b': 1}} }}", "{{ {'a': {}}}}", "{{ '}}' }}", "{{ \"{%\" }}", "{{ 'it\\'s' }}",
        "{% set a = 1 %}", "{% set ns.a = b == c %}", "{% set a %}text{% endset %}", "{% set a | upper %}x{% endset %}", "{% set (a, b) = c %}",
        "{% macro f(a, b='x') %}{{ a }}{% endmacro %}", "{% raw %}{{ {% if {# '{% endraw %}", "{%- raw -%}{%- endraw -%}", "{% generation %}{% endgeneration %}",
        "{% filter upper %}x{% endfilter %}", "{% call f() %}{% endcall %}", "{% do x.append(1) %}", "{% for a in b %}{% if c %}{% break %}{% endif %}{% continue %}{% endfor %}",
        "{{ a[b[(c)]] }}", "{{ 'a\nb' }}", "{%\t\r\nif x\t%}{%\tendif\r%}", "{% raw %}{% x %}{%- \t\r\nendraw %}", "{% raw %}{%+ endraw %}", "{{ A_z09 ~ b[0] }}",
        "{% set a=1 %}", "{% raw %}{% endraw %}", "{{ a }}\n{{ b }}", chatml,
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct template_look l = template_look(str_of(cases[i]));
        if (!l.parses || l.why[0] || l.line)
            fail_msg("%s: line %d: %s", cases[i], l.line, l.why);
    }
}

static void test_where_it_breaks(void **state)
{
    static const struct { const char *text; int line; const char *why; } cases[] = {
        { "a\n{{ x", 2, "no '}}'" },                             { "{{ x }", 1, "a '}' closes nothing" },
        { "{% if x }", 1, "a '}' closes nothing" },              { "{% if x", 1, "no '%}'" },
        { "{# x", 1, "comment is never closed" },                { "\n\n{{ 'x }}", 3, "string is never closed" },
        { "{{ 'x\\", 1, "string is never closed" },              { "{{ 'x\\' }}", 1, "string is never closed" },
        { "{{ (x }}", 1, "'}' closes nothing" },                 { "{{ (x", 1, "bracket is never closed" },
        { "{{ x) }}", 1, "')' closes nothing" },                 { "{{ (x] }}", 1, "']' closes nothing" },
        { "{% if x %}", 1, "block 'if' is never closed" },       { "{% if x %}\n{% for a in b %}\n{% endif %}", 3, "'endif' where the 'for' of line 2 is open" },
        { "a\n{% endif %}", 2, "'endif' without its 'if'" },     { "{% else %}", 1, "'else' without its 'if'" },
        { "{% for a in b %}{% elif c %}{% endfor %}", 1, "'elif' without" }, { "{% if a %}{% else %}{% else %}{% endif %}", 1, "'else' without" },
        { "{% if a %}{% else %}{% elif b %}{% endif %}", 1, "'elif' without" }, { "{% iff x %}", 1, "'iff' is not known" },
        { "{% endiff %}", 1, "'endiff' is not known" },          { "{% endelse %}", 1, "'endelse' is not known" },
        { "{% %}", 1, "without a name" },                        { "{%", 1, "no '%}'" },
        { "{% set a %}", 1, "'set' is never closed" },           { "{% set a == b %}", 1, "'set' is never closed" },
        { "{% raw %}{%", 1, "'raw' is never closed" },            { "{% raw %}{%- ", 1, "'raw' is never closed" },
        { "{% abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz %}", 1, "'abcdefghijklmnopqrstuvwxyzabcdef' is not known" },
        { "{%-", 1, "no '%}'" },                                 { "{%- ", 1, "no '%}'" },
        { "{% raw %}{% endif %}", 1, "'raw' is never closed" },  { "{% end %}", 1, "'end' is not known" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct template_look l = template_look(str_of(cases[i].text));
        if (l.parses || l.line != cases[i].line || !strstr(l.why, cases[i].why))
            fail_msg("%s: %d, line %d: %s", cases[i].text, l.parses, l.line, l.why);
    }
}

/* The same with every shorter beginning: none runs past its end (the sanitizers see it), and none says nothing. */
static void test_every_beginning(void **state)
{
    for (size_t n = 0; n < sizeof chatml; n++) {
        char *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, chatml, n);
        struct template_look l = template_look(str_make(exact, n));
        assert_int_equal(l.parses, l.why[0] == 0);
        assert_int_equal(l.parses, l.line == 0);
        free(exact);
    }
}

static void test_nesting_is_bounded(void **state)
{
    static char deep[200 * 10 + 1];
    for (int i = 0; i < 200; i++)
        memcpy(deep + 10 * i, "{% if x %}", 10);
    assert_non_null(strstr(template_look(str_of(deep)).why, "blocks are nested deeper"));
    memset(deep, '(', sizeof deep - 1);
    memcpy(deep, "{{", 2);
    assert_non_null(strstr(template_look(str_of(deep)).why, "brackets are nested deeper"));
}

enum { TOOLS = 1, SYSTEM = 2, REFUSED = 4, THINKING = 8, SWITCH = 16, IMAGES = 32 };

static void test_what_it_speaks_of(void **state)
{
    static const struct { const char *text; unsigned says; } cases[] = {
        { chatml, SYSTEM },
        { "{{ messages }}", 0 },
        { "{% if tools %}{% endif %}", TOOLS },
        { "{{ tools | tojson }}", TOOLS },
        { "{{ message.tools }}{{ message.thinking }}", 0 },
        { "{{ message.reasoning_content }}", THINKING },
        { "{{ thinking_budget }}", THINKING | SWITCH },
        { "{{ thinking }}", THINKING | SWITCH },
        { "{% if add_generation_prompt %}<mm:think>\\n{% endif %}", THINKING },
        { "{{ mytools }}{{ tools_x }} tools {# tools #}{{ 'tools' }}", 0 },
        { "{% if m.role == \"system\" %}{% endif %}", SYSTEM },
        { "system", 0 },
        { "{{ system_message }}", SYSTEM },
        { "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}", REFUSED },
        { "{{ '<think>\n' }}", THINKING },
        { "<think>", THINKING },
        { "{% set a = c.split('</think>')[-1] %}", THINKING },
        { "{# <think> #}", 0 },
        { "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}", THINKING | SWITCH },
        { "{{ reasoning_effort }}", THINKING | SWITCH },
        { "{% if content['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}", IMAGES },
        { "{{ 'imagery' }} image", 0 },
        { "<start_of_image>", IMAGES },
        { "{% raw %}{{ tools }}{% endraw %}", 0 },
        { "{{ tools }} {{ enable_thinking", TOOLS | THINKING | SWITCH },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct template_look l = template_look(str_of(cases[i].text));
        unsigned says = (l.tools ? TOOLS : 0u) | (l.system ? SYSTEM : 0u) | (l.system_refused ? REFUSED : 0u) | (l.thinking ? THINKING : 0u) |
            (l.thinking_switch ? SWITCH : 0u) | (l.images ? IMAGES : 0u);
        if (says != cases[i].says)
            fail_msg("%s: %u, not %u", cases[i].text, says, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_parses),
        cmocka_unit_test(test_where_it_breaks),
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_what_it_speaks_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
