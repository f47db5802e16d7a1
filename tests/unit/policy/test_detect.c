/* Personal data and what only looks like it: texts, and what is found in them. All of it is made up; keys are put together from two halves, so that no
 * scanner of repositories takes them for real ones. */
#include "policy/detect.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct row {
    const char *text;
    const char *found;  /* "kind value", one a line */
};

static void read_all(struct str text, struct buf *out)
{
    struct found f;
    for (size_t at = 0; detect_next(text, &at, &f);) {
        assert_true(f.n > 0 && f.at + f.n == at && at <= text.n);
        buf_printf(out, "%s%s %.*s", out->n ? "\n" : "", finding_name(f.what), (int)f.n, text.p + f.at);
    }
    buf_add_char(out, 0);
}

static void check(const struct row *rows, size_t n)
{
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
        struct buf out = { 0 };
        read_all(str_of(rows[i].text), &out);
        if (strcmp(out.p, rows[i].found) != 0) {
            print_error("%s\n  found: %s\n  want:  %s\n", rows[i].text, out.p, rows[i].found);
            wrong++;
        }
        buf_free(&out);
    }
    assert_int_equal(wrong, 0);
}

/* clang-format off */
static void test_mail_addresses(void **state)
{
    static const struct row rows[] = {
        { "jane@example.com", "email jane@example.com" },
        { "Write to jane.doe+news@mail.example.co.uk, please.", "email jane.doe+news@mail.example.co.uk" },
        { "<max.mustermann85@web.de>", "email max.mustermann85@web.de" },
        { "Mail an o'hara@firma.ie.", "email o'hara@firma.ie" },
        { "'jane@example.com'", "email jane@example.com" },
        { "mailto:a_b-c%d@x-y.museum?subject=1", "email a_b-c%d@x-y.museum" },
        { "邮箱zhang@公司.cn 或 li@example.cn。", "email li@example.cn" },
        { "two: a1@b.io,c2@d.io", "email a1@b.io\nemail c2@d.io" },
        { "0171234567@example.com", "email 0171234567@example.com" },
        { "ends here a@b.co", "email a@b.co" },
        { "X@Y.ORG!", "email X@Y.ORG" },
        { "{\"text\": \"hello\\njane@example.com\\ttim@example.com\"}", "email jane@example.com\nemail tim@example.com" }, /* JSON in a text */
        { "C:\\nina@example.com", "email ina@example.com" }, /* the price of that */
        { "user@localhost", "" },
        { "a @ b.com", "" },
        { "@jane and @joe.doe", "" },
        { "@app.route('/x')", "" },
        { "git clone git@github.com:org/repo.git", "" },
        { "lodash@4.17.21 react@18.2.0", "" },
        { "icon@2x.png logo@3x.jpeg", "" },
        { "x@1.2.3.4", "" },
        { "me@@example.com", "" },
        { "@user@mastodon.social", "" },
        { "a@b", "" },
        { "a@b.c", "" },
        { "a@.com", "" },
        { "a@-b.com", "" },
        { ".@x.com", "" },
        { "a.@x.com", "" },
        { "f@g.h1", "" },
        { "@@@@@@", "" },
    };
    check(rows, COUNTOF(rows));
}

static void test_telephone_numbers(void **state)
{
    static const struct row rows[] = {
        { "+49 151 12345678", "phone +49 151 12345678" },
        { "+4915112345678", "phone +4915112345678" },
        { "Call +1 (555) 123-4567 now", "phone +1 (555) 123-4567" },
        { "+1-555-123-4567", "phone +1-555-123-4567" },
        { "+15551234567.", "phone +15551234567" },
        { "+49 (0)30 1234567", "phone +49 (0)30 1234567" },
        { "(+33) 6 12 34 56 78", "phone (+33) 6 12 34 56 78" },
        { "+44 20 7946 0958", "phone +44 20 7946 0958" },
        { "+86 138 0013 8000", "phone +86 138 0013 8000" },
        { "tel:+358401234567", "phone +358401234567" },
        { "+81-90-1234-5678", "phone +81-90-1234-5678" },
        { "0049 151 12345678", "phone 0049 151 12345678" },
        { "0049 151 2345678", "phone 0049 151 2345678" },
        { "00491511234567", "phone 00491511234567" },
        { "(555) 123-4567", "phone (555) 123-4567" },
        { "555-123-4567", "phone 555-123-4567" },
        { "555.123.4567", "phone 555.123.4567" },
        { "1-800-555-0199", "phone 1-800-555-0199" },
        { "0171 2345678", "phone 0171 2345678" },
        { "0171/2345678", "phone 0171/2345678" },
        { "0171-2345678", "phone 0171-2345678" },
        { "01712345678", "phone 01712345678" },
        { "(030) 1234567", "phone (030) 1234567" },
        { "030 / 123 45 67", "phone 030 / 123 45 67" },
        { "Tel.: 089 / 1234567-12", "phone 089 / 1234567-12" },
        { "06 12 34 56 78", "phone 06 12 34 56 78" },
        { "06.12.34.56.78", "phone 06.12.34.56.78" },
        { "0612345678", "phone 0612345678" },
        { "020 7946 0958", "phone 020 7946 0958" },
        { "07700900123", "phone 07700900123" },
        { "03-1234-5678", "phone 03-1234-5678" },
        { "010-1234-5678", "phone 010-1234-5678" },
        { "138-0013-8000", "phone 138-0013-8000" },
        { "138 0013 8000", "phone 138 0013 8000" },
        { "手机13800138000", "phone 13800138000" },
        { "电话：13800138000。", "phone 13800138000" },
        { "phone: 555-1234", "phone 555-1234" },
        { "My telephone number is 612 34 56 78.", "phone 612 34 56 78" },
        { "Mobil 98765 43210", "phone 98765 43210" },
        { "call me at 5551234567", "phone 5551234567" },
        { "teléfono 612345678", "phone 612345678" },
        { "{\"text\": \"hello\\n0171 2345678\\nDE\"}", "phone 0171 2345678" },
        { "on 03.04.2024 0171 2345678 rang", "phone 0171 2345678" },
        { "0171 2345678, 0172 3456789", "phone 0171 2345678\nphone 0172 3456789" },
        { "id,phone\n7,01712345678\n8,+4915112345679", "phone 01712345678\nphone +4915112345679" },
    };
    check(rows, COUNTOF(rows));
}

static void test_numbers_that_are_none(void **state)
{
    static const struct row rows[] = {
        { "2024-01-31", "" },
        { "01.02.2024", "" },
        { "01/02/2024 10:30", "" },
        { "01-02-2024 11 22", "" },
        { "2024-01-31T10:20:30.123456+01:00", "" },
        { "2024-01-31 10:20:30,123", "" },
        { "20240131102030", "" },
        { "1706695200", "" },
        { "1706695200123", "" },
        { "1706695200123456789", "" },
        { "192.168.100.200", "" },
        { "10.0.0.1:8080", "" },
        { "2001:0db8:85a3:0000:0000:8a2e:0370:7334", "" },
        { "version 4.17.21-beta.3", "" },
        { "1.2.3.4.5.6.7.8.9", "" },
        { "$1,234,567.89", "" },
        { "$ 4500000", "" },
        { "1 234 567,89 EUR", "" },
        { "1.234.567,89", "" },
        { "3.14159265358979", "" },
        { "+3.14159265358", "" },
        { "+48.858370, +2.294481", "" },
        { "+0.5551234567", "" },
        { "x = a+12345678901", "" },
        { "f(1234567890)", "" },
        { "550e8400-e29b-41d4-a716-446655440000", "" },
        { "ID 00000000-0000-0000-0000-000000000000", "" },
        { "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "" },
        { "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709", "" },
        { "00 01 02 03 04 05 06 07 08", "" },
        { "01 02 03 04 05 06 07", "" },
        { "05 0a 1b 02 03 04 0c", "" },
        { "ISBN 978-3-16-148410-0", "" },
        { "ISBN 0-306-40615-2", "" },
        { "EAN 4006381333931", "" },
        { "order 1234567890", "" },
        { "order #0171234567", "" },
        { "invoice 2024-000123", "" },
        { "Article 123-456-789", "" },
        { "SSN-like 123-45-6789", "" },
        { "200 300 4000", "" },
        { "100 000 000 people", "" },
        { "7 8 9 10 11 12 13", "" },
        { "0x0171234567", "" },
        { "0.0171234567", "" },
        { "the hotel 1234567", "" },
        { "12:30:45.678901", "" },
        { "&#128512;&#1234567890;", "" },
        { "page 12-14, 2019, pp. 100-200", "" },
        { "1e+1234567890", "" },
        { "\\0123456789", "" },
        { "RFC 2616, RFC 7230-7235", "" },
        { "8=3=1=2=7654321", "" },
        { "line 1234567:89", "" },
        { "v20240131.1234567", "" },
        { "1234567890123456789012345678901234567890", "" },
        { "0049", "" },
        { "+49", "" },
        { "++491511234567", "" },
        { "+10002345678", "" },
        { "+1000000000", "" },
        { "13800138000", "" },  /* eleven digits may be anything */
        { "5551234567", "" },
        { "555-1234", "" },
        { "phone 2024-01-31", "" },
        { "int a[] = {123456789, 987654321};", "" },
    };
    check(rows, COUNTOF(rows));
}

static void test_accounts_and_cards(void **state)
{
    static const struct row rows[] = {
        { "DE89370400440532013000", "iban DE89370400440532013000" },
        { "IBAN: DE89 3704 0044 0532 0130 00, BIC …", "iban DE89 3704 0044 0532 0130 00" },
        { "GB82WEST12345698765432", "iban GB82WEST12345698765432" },
        { "FR14 2004 1010 0505 0001 3M02 606", "iban FR14 2004 1010 0505 0001 3M02 606" },
        { "NO9386011117947", "iban NO9386011117947" },
        { "CH93 0076 2011 6238 5295 7.", "iban CH93 0076 2011 6238 5295 7" },
        { "MT84MALT011000012345MTLCAST001S", "iban MT84MALT011000012345MTLCAST001S" },
        { "DE89370400440532013001", "" },     /* a digit wrong */
        { "DE8937040044053201300", "" },      /* one short */
        { "DE893704004405320130000", "" },    /* one over */
        { "XX89370400440532013000", "" },     /* no country */
        { "ADE89370400440532013000", "" },
        { "DE89-3704-0044", "" },
        { "ES12 is a font", "" },
        { "US12345678901234567890", "" },
        { "4111111111111111", "card 4111111111111111" },
        { "4111 1111 1111 1111 12/27 123", "card 4111 1111 1111 1111" },
        { "4111-1111-1111-1111", "card 4111-1111-1111-1111" },
        { "Visa 4012888888881881!", "card 4012888888881881" },
        { "5555555555554444", "card 5555555555554444" },
        { "2223003122003222", "card 2223003122003222" },
        { "3782 822463 10005", "card 3782 822463 10005" },
        { "378282246310005", "card 378282246310005" },
        { "30569309025904", "card 30569309025904" },
        { "6011 1111 1111 1117", "card 6011 1111 1111 1117" },
        { "3530111333300000", "card 3530111333300000" },
        { "6200000000000005", "card 6200000000000005" },
        { "x,4111111111111111,y", "card 4111111111111111" },
        { "4111111111111112", "" },           /* check digit */
        { "1234567812345670", "" },           /* right sum, nobody's prefix */
        { "4111 11111111 1111", "" },         /* nobody writes it so */
        { "4111-1111 1111-1111", "" },
        { "41111111111111111111", "" },
        { "a4111111111111111", "" },
        { "0.4111111111111111", "" },
        { "4111111111111111.5", "" },
        { "4222222222222", "" },              /* thirteen digits are a bar code */
        { "0000000000000000", "" },
        { "b4111111-1111-1111-1111-111111111111", "" },
    };
    check(rows, COUNTOF(rows));
}

#define BODY20 "a1b2C3d4E5f6G7h8I9j0"
#define BODY36 BODY20 "k1L2m3N4o5P6q7R8"
static void test_keys_and_passwords(void **state)
{
    static const struct row rows[] = {
        { "key " "sk-" BODY36 " end", "secret sk-" BODY36 },
        { "sk-" "proj-" BODY20 "_x-" BODY20, "secret sk-proj-" BODY20 "_x-" BODY20 },
        { "sk-" "ant-api03-" BODY36 "-AA", "secret sk-ant-api03-" BODY36 "-AA" },
        { "gh" "p_" BODY36, "secret ghp_" BODY36 },
        { "github" "_pat_" BODY20 "_" BODY36, "secret github_pat_" BODY20 "_" BODY36 },
        { "gl" "pat-" BODY20, "secret glpat-" BODY20 },
        { "xo" "xb-123456789012-" BODY20, "secret xoxb-123456789012-" BODY20 },
        { "AK" "IAIOSFODNN7EXAMPLE", "secret AKIAIOSFODNN7EXAMPLE" },
        { "AI" "zaSyA1b2C3d4E5f6G7h8I9j0k1L2m3N4o5P6q", "secret AIzaSyA1b2C3d4E5f6G7h8I9j0k1L2m3N4o5P6q" },
        { "sk_" "live_" BODY20, "secret sk_live_" BODY20 },
        { "hf" "_" BODY36, "secret hf_" BODY36 },
        { "HOB_KEY=hob" "_" BODY20 BODY20 "abc", "secret hob_" BODY20 BODY20 "abc" },
        { "ey" "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "secret eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P" },
        { "Authorization: Bearer " BODY36, "secret " BODY36 },
        { "authorization: bearer abc." BODY20 "==", "secret abc." BODY20 "==" },
        { "-----BEGIN " "PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nrest", "secret -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----" },
        { "-----BEGIN " "RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA", "secret -----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA" },
        { "password=hunter22", "secret hunter22" },
        { "password: hunter22", "secret hunter22" },
        { "PASSWORD = 'correct-horse'", "secret correct-horse" },
        { "{\"password\": \"correcthorse\"}", "secret correcthorse" },
        { "{\\\"password\\\": \\\"s3cret!pw\\\"}", "secret s3cret!pw" },
        { "DB_PASSWD=Tr0ub4dor&3", "secret Tr0ub4dor&3" },
        { "my password is: swordfish7.", "" },        /* "is" is no name */
        { "Passwort: geheim123", "secret geheim123" },
        { "密码：abc12345", "" },
        { "密码:abc12345", "secret abc12345" },
        { "api_key = \"" BODY20 "\"", "secret " BODY20 },
        { "client_secret: " BODY20 "~x", "secret " BODY20 "~x" },
        { "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" },
        { "postgres://app:s3cr3t@db.example.com:5432/x", "secret s3cr3t" },
        { "https://user:pa55word@host/path", "secret pa55word" },
        { "'password' => 'pa55wordx'", "secret pa55wordx" },
    };
    check(rows, COUNTOF(rows));
}

static void test_words_that_only_sound_secret(void **state)
{
    static const struct row rows[] = {
        { "sk-learn-is-a-long-name-of-a-library", "" },
        { "task-" BODY36, "" },
        { "risk-free-and-other-words-with-dashes-1", "" },
        { "ghp_short", "" },
        { "AKIA is a prefix, AKIAlowercaseletters", "" },
        { "a bearer of good news arrived at 10", "" },
        { "Bearer token", "" },
        { "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", "" },
        { "-----BEGIN PUBLIC KEY-----", "" },
        { "------------------", "" },
        { "eyJhbGciOiJIUzI1NiJ9", "" },
        { "Password: must be at least 8 characters", "" },
        { "password: required", "" },
        { "password = getpass.getpass()", "" },
        { "password = input(\"Your password: \")", "" },
        { "password=os.environ['DB_PASSWORD1']", "" },
        { "password=$DB_PASSWORD1", "" },
        { "password=${DB_PASSWORD1}", "" },
        { "password: <your-password-1>", "" },
        { "password = ********", "" },
        { "password=xxxxxxxx", "" },
        { "password: str = None", "" },
        { "if password == stored1234:", "" },
        { "user.password = self.password2", "" },
        { "\"password\": \"Enter your password here 1\"", "" },
        { "password=abc1", "" },
        { "PWD=/home/user1/project", "" },
        { "max_tokens: 1000000000000000", "" },
        { "tokens=12345678901234567890", "" },
        { "next_token = 12345678901234567890", "" },
        { "token: string; token_type: Bearer", "" },
        { "secret: name-of-the-secret-object", "" },
        { "{\"api_key\": process.env.OPENAI_API_KEY_12}", "" },
        { "https://example.com:8080/a@b", "" },
        { "ftp://user@host", "" },
        { "std::token::value1234567890ab", "" },
        { "postgres://app:$PASSWORD1@db/x", "" },
        { "a password:", "" },
        { "password=", "" },
    };
    check(rows, COUNTOF(rows));
}
/* clang-format on */

/* Whatever stands around it, what is found is the same; and any bytes at all end the pass. */
static void test_findings_stand_anywhere_and_never_overlap(void **state)
{
    static const char *const values[] = { "jane@example.com", "+49 151 12345678", "DE89370400440532013000", "4111 1111 1111 1111", "555-123-4567" };
    static const char *const before[] = { "", " ", "\n", "(", "\"", "é ", "電", ": ", ",", "| " }, *const behind[] = { "", " ", "\n", ")", "\"", ", ", "。", "; x", "?", " |" };
    for (size_t v = 0; v < COUNTOF(values); v++)
        for (size_t b = 0; b < COUNTOF(before); b++)
            for (size_t a = 0; a < COUNTOF(behind); a++) {
                char text[128];
                size_t at = 0;
                struct found f;
                int n = snprintf(text, sizeof text, "%s%s%s", before[b], values[v], behind[a]);
                struct str s = str_make(text, (size_t)n);
                if (!detect_next(s, &at, &f) || str_find(str_make(text + f.at, f.n), str_of(values[v])) < 0)
                    fail_msg("'%s'", text);
            }
}

static void test_every_beginning_of_a_text_is_safe(void **state)
{
    static const char text[] = "a@b.co +49 151 12345678 (030) 1234567 DE89 3704 0044 0532 0130 00 4111 1111 1111 1111 password=\"hunter22\" -----BEGIN PRIVATE KEY----- x";
    for (size_t n = 0; n < sizeof text; n++) {
        char *exact = malloc(n ? n : 1); /* its end is the end of the memory */
        assert_non_null(exact);
        struct found f;
        size_t at = 0, before = 0;
        memcpy(exact, text, n);
        while (detect_next(str_make(exact, n), &at, &f)) {
            assert_true(f.at >= before && f.at + f.n <= n);
            before = f.at + f.n;
        }
        assert_int_equal(at, n);
        free(exact);
    }
}

/* What is looked behind only once (else a text of them alone would take half a minute) hides nothing that comes later. */
static void test_secrets_are_found_behind_what_is_said_over_and_over(void **state)
{
    static const char *const said[] = { "sk-", "-eyJ", "token:", "pwd:", "xoxb-", "password: ", "-----BEGIN " };
    static const char *const secrets[] = { " sk" "-proj-a1b2c3d4e5f6g7h8i9j0", " token: a1b2c3d4e5f6g7h8i9", " pwd: hunter22", " AKIA" "ABCDEFGH1JKLMNOP" };
    for (size_t i = 0; i < COUNTOF(said); i++)
        for (size_t k = 0; k < COUNTOF(secrets); k++) {
            struct buf text = { 0 };
            struct found f;
            size_t at = 0;
            while (text.n < 100000)
                buf_add(&text, str_of(said[i]));
            buf_add(&text, str_of(secrets[k]));
            if (!detect_next(buf_str(&text), &at, &f) || f.what != FOUND_SECRET || at != text.n)
                fail_msg("'%s' behind '%s'", secrets[k], said[i]);
            buf_free(&text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail_addresses),
        cmocka_unit_test(test_telephone_numbers),
        cmocka_unit_test(test_numbers_that_are_none),
        cmocka_unit_test(test_accounts_and_cards),
        cmocka_unit_test(test_keys_and_passwords),
        cmocka_unit_test(test_words_that_only_sound_secret),
        cmocka_unit_test(test_findings_stand_anywhere_and_never_overlap),
        cmocka_unit_test(test_every_beginning_of_a_text_is_safe),
        cmocka_unit_test(test_secrets_are_found_behind_what_is_said_over_and_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
