/* Chats in Ollama's words, and its lines. What is sent and what comes back is written from its documentation. */
#include "dialect_test.h"

#define MESSAGES "{\"model\":\"x\",\"messages\":"
#define ASK MESSAGES "[{\"role\":\"user\",\"content\":\"a\"}]"
#define HEAD "{\"model\":\"x\",\"stream\":true,\"truncate\":false,\"shift\":false,\"options\":{\"num_ctx\":4096"
#define A "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]"
#define X { .model = STR("x") }

/* clang-format off */
static const struct body_case bodies[] = {
    { "a text", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"hi\"}]}",
      HEAD "},\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "", ERR_OK },
    { "roles", X,
      MESSAGES "[{\"role\":\"developer\",\"content\":\"d\"},{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"u\"},"
      "{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"u2\"}]}",
      HEAD "},\"messages\":[{\"role\":\"system\",\"content\":\"d\"},{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"u\"},"
      "{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"u2\"}]}", "", ERR_OK },
    { "parts are lines", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"\"},{\"type\":\"text\","
      "\"text\":\"b\"}]}]}",
      HEAD "},\"messages\":[{\"role\":\"user\",\"content\":\"a\\nb\"}]}", "", ERR_OK },
    { "nothing said is an empty text", X,
      MESSAGES "[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]},{\"role\":\"user\",\"content\":[]}]}",
      HEAD "},\"messages\":[{\"role\":\"assistant\",\"content\":\"\"},{\"role\":\"user\",\"content\":\"\"}]}", "", ERR_OK },
    { "images are a list beside the text", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBO\"}},"
      "{\"type\":\"text\",\"text\":\"what\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/jpeg;base64,/9j/\"}}]}]}",
      HEAD "},\"messages\":[{\"role\":\"user\",\"content\":\"what\",\"images\":[\"iVBO\",\"/9j/\"]}]}", "", ERR_OK },
    { "an image at an address is refused", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"what\"},{\"type\":\"image_url\","
      "\"image_url\":{\"url\":\"https://e.org/a.png\"}}]}]}",
      NULL, "messages[0].content[1]", ERR_UNSUPPORTED_INPUT },
    { "sound is refused", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA\",\"format\":\"wav\"}}]}]}",
      NULL, "messages[0].content[0]", ERR_UNSUPPORTED_INPUT },
    { "thoughts go back", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":\"hm\"},{\"role\":\"user\","
      "\"content\":\"c\"}]}",
      HEAD "},\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\",\"thinking\":\"hm\"},"
      "{\"role\":\"user\",\"content\":\"c\"}]}", "", ERR_OK },
    { "calls and results", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\","
      "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}},{\"id\":\"c2\",\"type\":\"function\","
      "\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"y\"},{\"role\":\"tool\","
      "\"tool_call_id\":\"c1\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}]}",
      HEAD "},\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\","
      "\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}},{\"id\":\"c2\",\"function\":{\"name\":\"g\",\"arguments\":{}}}]},{\"role\":\"tool\","
      "\"content\":\"y\",\"tool_name\":\"g\",\"tool_call_id\":\"c2\"},{\"role\":\"tool\",\"content\":\"x\",\"tool_name\":\"f\","
      "\"tool_call_id\":\"c1\"}]}", "", ERR_OK },
    { "a result whose call is forgotten", X,
      MESSAGES "[{\"role\":\"tool\",\"tool_call_id\":\"c9\",\"name\":\"f\",\"content\":\"x\"}]}",
      HEAD "},\"messages\":[{\"role\":\"tool\",\"content\":\"x\",\"tool_name\":\"f\",\"tool_call_id\":\"c9\"}]}", "", ERR_OK },
    { "arguments that are no object are refused", X,
      MESSAGES "[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
      "\"arguments\":\"nope\"}}]}]}",
      NULL, "messages[0].tool_calls[0]", ERR_INVALID_REQUEST },
    { "tools go as they are", X,
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}],"
      "\"tool_choice\":\"auto\"}",
      HEAD "},\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}]," A
      "}", "", ERR_OK },
    { "no tools where none shall be called", X,
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"none\"}",
      HEAD "}," A "}", "", ERR_OK },
    { "a call cannot be forced", X,
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"required\",\"parallel_tool_calls\":false}",
      HEAD "},\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]," A "}", "tool_choice,parallel_tool_calls", ERR_OK },
    { "options", X,
      ASK ",\"temperature\":1.5,\"top_p\":0.9,\"top_k\":20,\"min_p\":0.05,\"typical_p\":0.7,\"seed\":42,\"repeat_penalty\":1.1,"
      "\"repeat_last_n\":33,\"presence_penalty\":-1.5,\"frequency_penalty\":1,\"mirostat\":1,\"mirostat_tau\":0.8,\"mirostat_eta\":0.6}",
      HEAD ",\"temperature\":1.5,\"top_p\":0.9,\"top_k\":20,\"min_p\":0.05,\"typical_p\":0.7,\"seed\":42,\"repeat_penalty\":1.1,"
      "\"repeat_last_n\":33,\"presence_penalty\":-1.5,\"frequency_penalty\":1,\"mirostat\":1,\"mirostat_tau\":0.8,\"mirostat_eta\":0.6}," A "}",
      "", ERR_OK },
    { "one stop", X,
      ASK ",\"stop\":\"END\"}",
      HEAD ",\"stop\":[\"END\"]}," A "}", "", ERR_OK },
    { "several stops", X,
      ASK ",\"stop\":[\"A\",\"B\"]}",
      HEAD ",\"stop\":[\"A\",\"B\"]}," A "}", "", ERR_OK },
    { "the window that is configured", { .model = STR("x"), .context = 16384, .prompt_tokens = 100000 },
      ASK ",\"max_tokens\":5000}",
      "{\"model\":\"x\",\"stream\":true,\"truncate\":false,\"shift\":false,\"options\":{\"num_ctx\":16384,\"num_predict\":5000}," A "}", "",
      ERR_OK },
    { "the window that is needed", { .model = STR("x"), .prompt_tokens = 3000 },
      ASK ",\"max_tokens\":600}",
      "{\"model\":\"x\",\"stream\":true,\"truncate\":false,\"shift\":false,\"options\":{\"num_ctx\":8192,\"num_predict\":600}," A "}", "", ERR_OK },
    { "the window of a long prompt and an answer of any length", { .model = STR("x"), .prompt_tokens = 20000 },
      ASK "}",
      "{\"model\":\"x\",\"stream\":true,\"truncate\":false,\"shift\":false,\"options\":{\"num_ctx\":32768}," A "}", "", ERR_OK },
    { "the window has an end", { .model = STR("x"), .prompt_tokens = 3000000 },
      ASK ",\"max_tokens\":2000000000}",
      "{\"model\":\"x\",\"stream\":true,\"truncate\":false,\"shift\":false,\"options\":{\"num_ctx\":1048576,\"num_predict\":2000000000}," A "}",
      "", ERR_OK },
    { "an answer's length of the model's settings", { .model = STR("x"), .max_tokens = 700 },
      ASK "}",
      HEAD ",\"num_predict\":700}," A "}", "", ERR_OK },
    { "an answer as long as it may be", X,
      ASK ",\"max_tokens\":-1}",
      HEAD "}," A "}", "", ERR_OK },
    { "an answer of nothing is refused", X,
      ASK ",\"max_completion_tokens\":0}",
      NULL, "max_completion_tokens", ERR_INVALID_REQUEST },
    { "several answers are refused", X,
      ASK ",\"n\":3}",
      NULL, "n", ERR_INVALID_REQUEST },
    { "how long it is kept", { .model = STR("x"), .keep_alive = STR("10m") },
      ASK "}",
      HEAD "},\"keep_alive\":\"10m\"," A "}", "", ERR_OK },
    { "kept for ever", { .model = STR("x"), .keep_alive = STR("-1") },
      ASK "}",
      HEAD "},\"keep_alive\":-1," A "}", "", ERR_OK },
    { "thinking", X,
      ASK ",\"chat_template_kwargs\":{\"enable_thinking\":true}}",
      HEAD "},\"think\":true," A "}", "", ERR_OK },
    { "no thinking", X,
      ASK ",\"thinking\":{\"type\":\"disabled\"}}",
      HEAD "},\"think\":false," A "}", "", ERR_OK },
    { "no effort", X,
      ASK ",\"reasoning\":{\"effort\":\"none\"}}",
      HEAD "},\"think\":false," A "}", "", ERR_OK },
    { "an effort", X,
      ASK ",\"reasoning_effort\":\"medium\"}",
      HEAD "},\"think\":\"medium\"," A "}", "", ERR_OK },
    { "more effort than it knows", X,
      ASK ",\"reasoning_effort\":\"xhigh\"}",
      HEAD "},\"think\":\"high\"," A "}", "", ERR_OK },
    { "a budget for thoughts is a yes", X,
      ASK ",\"thinking_budget_tokens\":512}",
      HEAD "},\"think\":true," A "}", "", ERR_OK },
    { "no budget for thoughts is a no", X,
      ASK ",\"reasoning_budget_tokens\":0}",
      HEAD "},\"think\":false," A "}", "", ERR_OK },
    { "the first that is said of thinking holds", X,
      ASK ",\"enable_thinking\":true,\"thinking\":false,\"reasoning_effort\":\"high\"}",
      HEAD "},\"think\":false," A "}", "", ERR_OK },
    { "any object", X,
      ASK ",\"response_format\":{\"type\":\"json_object\"}}",
      HEAD "},\"format\":\"json\"," A "}", "", ERR_OK },
    { "a schema", X,
      ASK ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":{\"type\":\"object\","
      "\"properties\":{\"a\":{\"type\":\"string\"}}}}}}",
      HEAD "},\"format\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}," A "}", "", ERR_OK },
    { "text as a format", X,
      ASK ",\"response_format\":{\"type\":\"text\"}}",
      HEAD "}," A "}", "", ERR_OK },
    { "what it has no word for is named", X,
      ASK ",\"user\":\"u\",\"logprobs\":true,\"logit_bias\":{\"1\":2},\"store\":false,\"parallel_tool_calls\":true}",
      HEAD "}," A "}", "user,logprobs,logit_bias,store,parallel_tool_calls", ERR_OK },
};

static const struct stream_case streams[] = {
    { "words",
      "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00.1Z\",\"message\":{\"role\":\"assistant\",\"content\":\"H\\u00e9\"},\"done\":false}\n"
      "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00.2Z\",\"message\":{\"role\":\"assistant\",\"content\":\"llo\"},\"done\":false}\n"
      "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00.3Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,"
      "\"done_reason\":\"stop\",\"total_duration\":1,\"prompt_eval_count\":26,\"eval_count\":2}\n",
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hé\"},"
      "\"finish_reason\":null}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo\"},\"finish_reason\":null}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":26,\"completion_tokens\":2,\"total_tokens\":28}}\n"
      "[DONE]\n", ERR_OK, "" },
    { "thoughts, and an answer that is cut",
      "{\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n"
      "\n"
      "{\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n"
      "{\"message\":{\"role\":\"assistant\",\"content\":\"b\"},\"done\":true,\"done_reason\":\"length\",\"prompt_eval_count\":3,\"eval_count\":5}\n"
      "{\"message\":{\"role\":\"assistant\",\"content\":\"what comes behind the end is not looked at\"},\"done\":false}\n",
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"reasoning_content\":\"hm\"},"
      "\"finish_reason\":null}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\":null}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5,\"total_tokens\":8}}\n"
      "[DONE]\n", ERR_OK, "" },
    { "calls",
      "{\"created_at\":\"t1\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
      "\"arguments\":{\"x\":1,\"y\":\"z\"}}}]},\"done\":false}\n"
      "{\"created_at\":\"t2\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"call_9\",\"function\":{\"index\":1,"
      "\"name\":\"g\",\"arguments\":{}}},{\"function\":{\"name\":\"f\"}}]},\"done\":false}\n"
      "{\"created_at\":\"t3\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"eval_count\":5}\n",
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"tool_calls\":[{\"index\":0,"
      "\"id\":\"call_0_0d11f6b273c41e80\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1,"
      "\\\"y\\\":\\\"z\\\"}\"}}]},\"finish_reason\":null}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"call_9\","
      "\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":2,\"id\":\"call_2_a8ddd7b31ea308c1\","
      "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n"
      "{\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":5,\"total_tokens\":5}}\n"
      "[DONE]\n", ERR_OK, "" },
    { "an error in the middle",
      "{\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n"
      "{\"error\":\"an error was encountered while running the model: CUDA error\"}\n"
      "{\"message\":{\"role\":\"assistant\",\"content\":\"b\"},\"done\":false}\n",
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"},"
      "\"finish_reason\":null}]}\n", ERR_UP_STATUS, "it broke off with an error: an error was encountered while running the model: CUDA error" },
    { "it breaks off",
      "{\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n",
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"},"
      "\"finish_reason\":null}]}\n", ERR_UP_GARBLED, "its stream broke off before the answer was over" },
    { "no JSON",
      "{\"message\":\n", "", ERR_UP_GARBLED, "it sent a line that is no JSON" },
    { "no object",
      "[1]\n", "", ERR_UP_GARBLED, "it sent a line that is no object" },
    { "nothing at all", "", "", ERR_UP_GARBLED, "its stream broke off before the answer was over" },
};
/* clang-format on */

static void test_a_request_is_said_in_its_words(void **state)
{
    for (size_t i = 0; i < COUNTOF(bodies); i++)
        check_body(&dialect_ollama, &bodies[i]);
}

static void test_its_stream_cut_anywhere_gives_the_same_events(void **state)
{
    for (size_t i = 0; i < COUNTOF(streams); i++)
        check_stream(&dialect_ollama, &streams[i]);
}

static void test_who_stops_hears_no_more(void **state)
{
    check_stop(&dialect_ollama, streams[0].stream);
}

/* Whatever it is: what the gateway's own reading has of it is its beginning. */
static void test_long_texts_are_whole(void **state)
{
    check_long_text(&dialect_ollama, MESSAGES "[{\"role\":\"user\",\"content\":\"@\"}]}", HEAD "},\"messages\":[{\"role\":\"user\",\"content\":\"@\"}]}");
    check_long_text(&dialect_ollama,
        MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,@\"}}]}]}",
        HEAD "},\"messages\":[{\"role\":\"user\",\"content\":\"\",\"images\":[\"@\"]}]}");
    check_long_text(&dialect_ollama,
        MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"text\",\"text\":\"@\"}]}]}",
        HEAD "},\"messages\":[{\"role\":\"user\",\"content\":\"b\\n@\"}]}");
}

static void test_a_line_that_is_too_long_is_garbled(void **state)
{
    static const struct stream_case c = { "too long", "{\"message\":{\"content\":\"abcdefghijklmnopqrstuvwxyz\"}}\n", "", ERR_UP_GARBLED, "longer than 32" };
    max_line = 32;
    check_stream(&dialect_ollama, &c);
    max_line = MAX_LINE;
}

/* The last line may lack its end. */
static void test_a_stream_without_its_last_newline_is_whole(void **state)
{
    static const struct stream_case c = {
        "no newline", "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":1,\"eval_count\":0}",
        "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"finish_reason\":\"stop\"}]}\n"
        "{\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":0,\"total_tokens\":1}}\n[DONE]\n",
        ERR_OK, "",
    };
    check_stream(&dialect_ollama, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_said_in_its_words),
        cmocka_unit_test(test_its_stream_cut_anywhere_gives_the_same_events),
        cmocka_unit_test(test_who_stops_hears_no_more),
        cmocka_unit_test(test_long_texts_are_whole),
        cmocka_unit_test(test_a_line_that_is_too_long_is_garbled),
        cmocka_unit_test(test_a_stream_without_its_last_newline_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
