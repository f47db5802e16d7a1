/* Chats in the words of the Messages API, and its events. What is sent and what comes back is written from its documentation. */
#include "dialect_test.h"

#define MESSAGES "{\"model\":\"x\",\"messages\":"
#define ASK MESSAGES "[{\"role\":\"user\",\"content\":\"a\"}]"
#define HEAD "\"max_tokens\":8192,\"stream\":true,"
#define A "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}]"
#define X { .model = STR("x") }

/* clang-format off */
static const struct body_case bodies[] = {
    { "a text is a message of one block", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"hi\"}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}", "", ERR_OK },
    { "what the system says stands apart", X,
      MESSAGES "[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":\"user\",\"content\":\"hi\"}]}",
      "{\"model\":\"x\"," HEAD "\"system\":[{\"type\":\"text\",\"text\":\"be brief\"}],\"messages\":[{\"role\":\"user\","
      "\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}", "", ERR_OK },
    { "a developer is the system and one that speaks late is put in front", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
      "{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":\"system\",\"content\":\"c\"}]}",
      "{\"model\":\"x\"," HEAD "\"system\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"text\","
      "\"text\":\"c\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}", "", ERR_OK },
    { "a system alone speaks as the user", X,
      MESSAGES "[{\"role\":\"system\",\"content\":\"go\"}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"go\"}]}]}", "", ERR_OK },
    { "neighbours with one role are one turn", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"},{\"role\":\"assistant\",\"content\":\"c\"},"
      "{\"role\":\"assistant\",\"content\":\"d\"},{\"role\":\"user\",\"content\":\"e\"}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
      "\"text\":\"b\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"c\"},{\"type\":\"text\",\"text\":\"d\"}]},"
      "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"e\"}]}]}", "", ERR_OK },
    { "who says nothing has no turn", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"\"},{\"role\":\"assistant\",\"content\":null},"
      "{\"role\":\"user\",\"content\":[]},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\"}]},{\"role\":\"user\","
      "\"content\":\"b\"}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
      "\"text\":\"b\"}]}]}", "", ERR_OK },
    { "marks of what to keep go along", X,
      MESSAGES "[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"long\",\"cache_control\":{\"type\":\"ephemeral\"}}]},"
      "{\"role\":\"user\",\"content\":\"hi\"}]}",
      "{\"model\":\"x\"," HEAD "\"system\":[{\"type\":\"text\",\"text\":\"long\",\"cache_control\":{\"type\":\"ephemeral\"}}],"
      "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}", "", ERR_OK },
    { "text is escaped", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"\\u00fc \\\"q\\\" \\\\ \\n\\u0001 \\ud83d\\ude00\"}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"ü \\\"q\\\" \\\\ \\n\\u0001 😀\"}]}]}",
      "", ERR_OK },
    { "a refusal is what it said", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"assistant\","
      "\"content\":[{\"type\":\"text\",\"text\":\"no\"}]}]}", "", ERR_OK },
    { "thoughts are not said again", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":\"hm\"},{\"role\":\"user\","
      "\"content\":\"c\"}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"assistant\","
      "\"content\":[{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"c\"}]}]}", "", ERR_OK },
    { "an image in data", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"what\"},{\"type\":\"image_url\","
      "\"image_url\":{\"url\":\"data:image/png;base64,iVBO\",\"detail\":\"high\"}}]}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"what\"},{\"type\":\"image\","
      "\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBO\"}}]}]}", "", ERR_OK },
    { "an image at an address", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://e.org/a.jpg\"}}]}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"url\","
      "\"url\":\"https://e.org/a.jpg\"}}]}]}", "", ERR_OK },
    { "an image whose address is bare", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":\"http://e.org/a.jpg\"}]}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"url\","
      "\"url\":\"http://e.org/a.jpg\"}}]}]}", "", ERR_OK },
    { "an image with parameters in its type", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"DATA:image/webp;charset=x;base64,UklG\"}}]}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
      "\"media_type\":\"image/webp\",\"data\":\"UklG\"}}]}]}", "", ERR_OK },
    { "an image of another kind is refused", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/tiff;base64,SUkq\"}}]}]}",
      NULL, "messages[0].content[0]", ERR_UNSUPPORTED_INPUT },
    { "an image that is no base64 is refused", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"image_url\","
      "\"image_url\":{\"url\":\"data:image/png,abc\"}}]}]}",
      NULL, "messages[1].content[1]", ERR_UNSUPPORTED_INPUT },
    { "a file on disk is refused", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"file:///etc/passwd\"}}]}]}",
      NULL, "messages[0].content[0]", ERR_UNSUPPORTED_INPUT },
    { "a document", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":\"data:application/pdf;base64,"
      "JVBE\"}},{\"type\":\"text\",\"text\":\"sum up\"}]}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"base64\","
      "\"media_type\":\"application/pdf\",\"data\":\"JVBE\"},\"title\":\"a.pdf\"},{\"type\":\"text\",\"text\":\"sum up\"}]}]}", "", ERR_OK },
    { "a file kept at another place is refused", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}]}]}",
      NULL, "messages[0].content[0]", ERR_UNSUPPORTED_INPUT },
    { "sound is refused", X,
      MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA\",\"format\":\"wav\"}}]}]}",
      NULL, "messages[0].content[0]", ERR_UNSUPPORTED_INPUT },
    { "tools", X,
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"does\",\"parameters\":{\"type\":\"object\","
      "\"properties\":{\"x\":{\"type\":\"number\"}},\"required\":[\"x\"]}}},{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]}",
      "{\"model\":\"x\"," HEAD A ",\"tools\":[{\"name\":\"f\",\"description\":\"does\",\"input_schema\":{\"type\":\"object\","
      "\"properties\":{\"x\":{\"type\":\"number\"}},\"required\":[\"x\"]}},{\"name\":\"g\",\"input_schema\":{\"type\":\"object\","
      "\"properties\":{}}}]}", "", ERR_OK },
    { "strict tools where they are known", { .model = STR("claude-opus-4-5") },
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true,\"parameters\":{\"type\":\"object\",\"properties\":{},"
      "\"additionalProperties\":false}}}]}",
      "{\"model\":\"claude-opus-4-5\"," HEAD A ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{},"
      "\"additionalProperties\":false},\"strict\":true}]}", "", ERR_OK },
    { "strict tools where they are not", { .model = STR("claude-3-7-sonnet-latest") },
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true,\"parameters\":{}}}]}",
      "{\"model\":\"claude-3-7-sonnet-latest\"," HEAD A ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}]}",
      "", ERR_OK },
    { "a tool of another kind is refused", X,
      ASK ",\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"f\"}}]}",
      NULL, "tools[0]", ERR_TOOLS_UNSUPPORTED },
    { "the choice of tools is auto", X,
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"auto\"}",
      "{\"model\":\"x\"," HEAD A ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
      "\"tool_choice\":{\"type\":\"auto\"}}", "", ERR_OK },
    { "the choice of tools is none", X,
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"none\",\"parallel_tool_calls\":false}",
      "{\"model\":\"x\"," HEAD A ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
      "\"tool_choice\":{\"type\":\"none\"}}", "", ERR_OK },
    { "the choice of tools is required", X,
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"required\"}",
      "{\"model\":\"x\"," HEAD A ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
      "\"tool_choice\":{\"type\":\"any\"}}", "", ERR_OK },
    { "the choice of tools is one", X,
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":{\"type\":\"function\","
      "\"function\":{\"name\":\"f\"}},\"parallel_tool_calls\":false}",
      "{\"model\":\"x\"," HEAD A ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
      "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\",\"disable_parallel_tool_use\":true}}", "", ERR_OK },
    { "one call at a time", X,
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"parallel_tool_calls\":false}",
      "{\"model\":\"x\"," HEAD A ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
      "\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}}", "", ERR_OK },
    { "a choice among some is left out", X,
      ASK ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":{\"type\":\"allowed_tools\","
      "\"allowed_tools\":{\"mode\":\"auto\",\"tools\":[]}}}",
      "{\"model\":\"x\"," HEAD A ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
      "\"tool_choice\":{\"type\":\"auto\"}}", "tool_choice", ERR_OK },
    { "a choice without tools is none", X,
      ASK ",\"tools\":[],\"tool_choice\":\"required\",\"parallel_tool_calls\":false}",
      "{\"model\":\"x\"," HEAD A "}", "", ERR_OK },
    { "a call and its result", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_1\","
      "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": 1e2}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"call_1\","
      "\"content\":\"42\"}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"assistant\","
      "\"content\":[{\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"f\",\"input\":{\"x\": 1e2}}]},{\"role\":\"user\","
      "\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"call_1\",\"content\":\"42\"}]}]}", "", ERR_OK },
    { "two calls and a word and two results and a word", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"let me see\",\"tool_calls\":[{\"id\":\"1\","
      "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}},{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":\"g\","
      "\"arguments\":\" {} \"}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\"},{\"role\":\"tool\",\"tool_call_id\":\"2\","
      "\"content\":\"\"},{\"role\":\"user\",\"content\":\"go on\"}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"assistant\","
      "\"content\":[{\"type\":\"text\",\"text\":\"let me see\"},{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"f\",\"input\":{}},"
      "{\"type\":\"tool_use\",\"id\":\"2\",\"name\":\"g\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
      "\"tool_use_id\":\"1\",\"content\":\"x\"},{\"type\":\"tool_result\",\"tool_use_id\":\"2\",\"content\":\"\"},{\"type\":\"text\","
      "\"text\":\"go on\"}]}]}", "", ERR_OK },
    { "ids are of few letters", X,
      MESSAGES "[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"fn:0.a/\\u00fc\",\"type\":\"function\",\"function\":{\"name\":\"f\","
      "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"fn:0.a/\\u00fc\",\"content\":\"x\"}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"fn_0_a___\",\"name\":\"f\","
      "\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"fn_0_a___\",\"content\":\"x\"}]}]}", "", ERR_OK
      },
    { "a result with parts and an image", X,
      MESSAGES "[{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},{\"type\":\"image_url\","
      "\"image_url\":{\"url\":\"data:image/gif;base64,R0lG\"}}]}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"1\","
      "\"content\":[{\"type\":\"text\",\"text\":\"see\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/gif\","
      "\"data\":\"R0lG\"}}]}]}]}", "", ERR_OK },
    { "arguments that are an object already", X,
      MESSAGES "[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1,"
      "null]}}}]}]}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"f\","
      "\"input\":{\"a\":[1,null]}}]}]}", "", ERR_OK },
    { "arguments that are no object are refused", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\","
      "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":\"f\","
      "\"arguments\":\"[1\"}}]}]}",
      NULL, "messages[1].tool_calls[1]", ERR_INVALID_REQUEST },
    { "functions of the old form are refused", X,
      MESSAGES "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"function\",\"name\":\"f\",\"content\":\"x\"}]}",
      NULL, "messages[1]", ERR_INVALID_REQUEST },
    { "one stop", X,
      ASK ",\"stop\":\"END\"}",
      "{\"model\":\"x\"," HEAD A ",\"stop_sequences\":[\"END\"]}", "", ERR_OK },
    { "several stops and a blank one", X,
      ASK ",\"stop\":[\"END\",\"\\n\\n\"]}",
      "{\"model\":\"x\"," HEAD A ",\"stop_sequences\":[\"END\"]}", "stop", ERR_OK },
    { "no stop", X,
      ASK ",\"stop\":[]}",
      "{\"model\":\"x\"," HEAD A "}", "", ERR_OK },
    { "sampling", X,
      ASK ",\"temperature\":0.70,\"top_p\":0.5,\"top_k\":40}",
      "{\"model\":\"x\"," HEAD A ",\"temperature\":0.7,\"top_p\":0.5,\"top_k\":40}", "", ERR_OK },
    { "a temperature above its scale", X,
      ASK ",\"temperature\":1.7,\"top_k\":-1}",
      "{\"model\":\"x\"," HEAD A ",\"temperature\":1}", "top_k", ERR_OK },
    { "temperature or top_p", { .model = STR("claude-sonnet-4-5-20250929") },
      ASK ",\"temperature\":0.5,\"top_p\":0.9}",
      "{\"model\":\"claude-sonnet-4-5-20250929\"," HEAD A ",\"temperature\":0.5}", "top_p", ERR_OK },
    { "top_p alone", { .model = STR("claude-sonnet-4-5") },
      ASK ",\"top_p\":0.9}",
      "{\"model\":\"claude-sonnet-4-5\"," HEAD A ",\"top_p\":0.9}", "", ERR_OK },
    { "no sampling for the newest", { .model = STR("claude-opus-4-7") },
      ASK ",\"temperature\":0.5,\"top_p\":0.9,\"top_k\":3}",
      "{\"model\":\"claude-opus-4-7\"," HEAD A "}", "temperature,top_p,top_k", ERR_OK },
    { "an answer's length", X,
      ASK ",\"max_tokens\":100}",
      "{\"model\":\"x\",\"max_tokens\":100,\"stream\":true," A "}", "", ERR_OK },
    { "an answer's length under its newer name", X,
      ASK ",\"max_tokens\":100,\"max_completion_tokens\":200.0}",
      "{\"model\":\"x\",\"max_tokens\":200,\"stream\":true," A "}", "", ERR_OK },
    { "an answer as long as it may be", X,
      ASK ",\"max_tokens\":-1}",
      "{\"model\":\"x\"," HEAD A "}", "", ERR_OK },
    { "an answer's length of the model's settings", { .model = STR("x"), .max_tokens = 500 },
      ASK "}",
      "{\"model\":\"x\",\"max_tokens\":500,\"stream\":true," A "}", "", ERR_OK },
    { "an answer of nothing is refused", X,
      ASK ",\"max_tokens\":0}",
      NULL, "max_tokens", ERR_INVALID_REQUEST },
    { "several answers are refused", X,
      ASK ",\"n\":2}",
      NULL, "n", ERR_INVALID_REQUEST },
    { "an effort is a budget", X,
      ASK ",\"reasoning_effort\":\"medium\",\"temperature\":0.3}",
      "{\"model\":\"x\",\"max_tokens\":16384,\"stream\":true," A ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":8192}}", "temperature",
      ERR_OK },
    { "an effort within an answer's length", X,
      ASK ",\"reasoning\":{\"effort\":\"high\"},\"max_tokens\":4000}",
      "{\"model\":\"x\",\"max_tokens\":4000,\"stream\":true," A ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":3000}}", "", ERR_OK },
    { "an effort for which there is no room", X,
      ASK ",\"reasoning_effort\":\"low\",\"max_tokens\":1200}",
      "{\"model\":\"x\",\"max_tokens\":1200,\"stream\":true," A "}", "reasoning_effort", ERR_OK },
    { "a budget of the caller's", X,
      ASK ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":3000}}",
      "{\"model\":\"x\",\"max_tokens\":11192,\"stream\":true," A ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":3000}}", "", ERR_OK },
    { "thinking by a template's switch", { .model = STR("claude-3-7-sonnet-20250219") },
      ASK ",\"chat_template_kwargs\":{\"enable_thinking\":true}}",
      "{\"model\":\"claude-3-7-sonnet-20250219\",\"max_tokens\":16384,\"stream\":true," A ",\"thinking\":{\"type\":\"enabled\","
      "\"budget_tokens\":8192}}", "", ERR_OK },
    { "no thinking", X,
      ASK ",\"reasoning_effort\":\"none\"}",
      "{\"model\":\"x\"," HEAD A ",\"thinking\":{\"type\":\"disabled\"}}", "", ERR_OK },
    { "no thinking where that is the rule", { .model = STR("claude-3-5-haiku-latest") },
      ASK ",\"enable_thinking\":false}",
      "{\"model\":\"claude-3-5-haiku-latest\"," HEAD A "}", "", ERR_OK },
    { "thinking by its own judgement", { .model = STR("claude-opus-4-6") },
      ASK ",\"reasoning_effort\":\"xhigh\"}",
      "{\"model\":\"claude-opus-4-6\"," HEAD A ",\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"},"
      "\"output_config\":{\"effort\":\"high\"}}", "", ERR_OK },
    { "thinking by its own judgement and an effort", { .model = STR("claude-opus-4-8") },
      ASK ",\"reasoning_effort\":\"xhigh\",\"top_p\":0.9}",
      "{\"model\":\"claude-opus-4-8\"," HEAD A ",\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"},"
      "\"output_config\":{\"effort\":\"xhigh\"}}", "top_p", ERR_OK },
    { "thinking with a name that has no number", { .model = STR("claude-mythos-preview") },
      ASK ",\"think\":true}",
      "{\"model\":\"claude-mythos-preview\"," HEAD A ",\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"}}", "", ERR_OK },
    { "thinking of a family without its minor number", { .model = STR("claude-opus-4-20250514") },
      ASK ",\"think\":\"minimal\"}",
      "{\"model\":\"claude-opus-4-20250514\",\"max_tokens\":9216,\"stream\":true," A ",\"thinking\":{\"type\":\"enabled\","
      "\"budget_tokens\":1024}}", "", ERR_OK },
    { "no thinking with a call that is forced", X,
      ASK ",\"reasoning_effort\":\"low\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"required\"}",
      "{\"model\":\"x\"," HEAD A ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
      "\"tool_choice\":{\"type\":\"any\"}}", "reasoning_effort", ERR_OK },
    { "no thinking amid calls", X,
      MESSAGES "[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
      "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\"}],\"reasoning_effort\":\"low\"}",
      "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"f\","
      "\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"content\":\"x\"}]}]}",
      "reasoning_effort", ERR_OK },
    { "an effort that nobody knows is refused", X,
      ASK ",\"reasoning_effort\":\"heroic\"}",
      NULL, "reasoning_effort", ERR_INVALID_REQUEST },
    { "a schema", X,
      ASK ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"strict\":true,\"schema\":{\"type\":\"object\","
      "\"properties\":{\"a\":{\"type\":\"string\"}},\"additionalProperties\":false}}}}",
      "{\"model\":\"x\"," HEAD A ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\","
      "\"properties\":{\"a\":{\"type\":\"string\"}},\"additionalProperties\":false}}}}", "", ERR_OK },
    { "a schema and an effort", { .model = STR("claude-opus-4-6") },
      ASK ",\"response_format\":{\"type\":\"json_object\",\"schema\":{\"type\":\"object\"}},\"reasoning_effort\":\"low\"}",
      "{\"model\":\"claude-opus-4-6\"," HEAD A ",\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"},"
      "\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}", "", ERR_OK },
    { "any object has no word there", X,
      ASK ",\"response_format\":{\"type\":\"json_object\"}}",
      "{\"model\":\"x\"," HEAD A "}", "response_format", ERR_OK },
    { "text as a format", X,
      ASK ",\"response_format\":{\"type\":\"text\"}}",
      "{\"model\":\"x\"," HEAD A "}", "", ERR_OK },
    { "the user", X,
      ASK ",\"user\":\"u1\",\"safety_identifier\":\"s1\"}",
      "{\"model\":\"x\"," HEAD A ",\"metadata\":{\"user_id\":\"u1\"}}", "", ERR_OK },
    { "the user by another name", X,
      ASK ",\"safety_identifier\":\"s1\"}",
      "{\"model\":\"x\"," HEAD A ",\"metadata\":{\"user_id\":\"s1\"}}", "", ERR_OK },
    { "what it has no word for is named", X,
      ASK ",\"seed\":1,\"logprobs\":true,\"frequency_penalty\":0.5,\"store\":true,\"metadata\":{\"a\":\"b\"},\"service_tier\":\"auto\",\"odd,"
      "n\\u00e4me\":1,\"logit_bias\":null}",
      "{\"model\":\"x\"," HEAD A "}", "seed,logprobs,frequency_penalty,store,metadata,service_tier,odd?n??me", ERR_OK },
};

static const struct stream_case streams[] = {
    { "words",
      "event: message_start\n"
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"m\","
      "\"stop_reason\":null,\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n"
      "\n"
      "event: content_block_start\n"
      "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n"
      "\n"
      "event: ping\n"
      "data: {\"type\":\"ping\"}\n"
      "\n"
      "event: content_block_delta\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hé\\n\"}}\n"
      "\n"
      "event: content_block_delta\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"!\"}}\n"
      "\n"
      "event: content_block_stop\n"
      "data: {\"type\":\"content_block_stop\",\"index\":0}\n"
      "\n"
      "event: message_delta\n"
      "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}}\n"
      "\n"
      "event: message_stop\n"
      "data: {\"type\":\"message_stop\"}\n"
      "\n",
      "{\"id\":\"msg_1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hé\\n\"},"
      "\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"!\"},\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n"
      "{\"id\":\"msg_1\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":25,\"completion_tokens\":15,"
      "\"total_tokens\":40}}\n"
      "[DONE]\n", ERR_OK, "" },
    { "thoughts, their signature kept out, and the cache in the prompt's count",
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_2\",\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":100,"
      "\"cache_creation_input_tokens\":20,\"output_tokens\":1}}}\n"
      "\n"
      "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"EqQB\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_stop\",\"index\":0}\n"
      "\n"
      "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"redacted_thinking\",\"data\":\"xyz\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_stop\",\"index\":1}\n"
      "\n"
      "data: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"text\",\"text\":\"ye\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"text_delta\",\"text\":\"s\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_stop\",\"index\":2}\n"
      "\n"
      "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{\"input_tokens\":6,\"cache_read_input_tokens\":100,"
      "\"output_tokens\":30,\"output_tokens_details\":{\"thinking_tokens\":12}}}\n"
      "\n"
      "data: {\"type\":\"message_stop\"}\n"
      "\n",
      "{\"id\":\"msg_2\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
      "\"reasoning_content\":\"hm\"},\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_2\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ye\"},\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_2\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"s\"},\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_2\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n"
      "{\"id\":\"msg_2\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":126,\"completion_tokens\":30,"
      "\"total_tokens\":156,\"prompt_tokens_details\":{\"cached_tokens\":100},\"completion_tokens_details\":{\"reasoning_tokens\":12}}}\n"
      "[DONE]\n", ERR_OK, "" },
    { "calls: in pieces, whole, and without arguments",
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_3\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n"
      "\n"
      "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\","
      "\"input\":{}}}\n"
      "\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\":\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_stop\",\"index\":0}\n"
      "\n"
      "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"g\","
      "\"input\":{\"y\":[2]}}}\n"
      "\n"
      "data: {\"type\":\"content_block_stop\",\"index\":1}\n"
      "\n"
      "data: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_3\",\"name\":\"h\","
      "\"input\":{}}}\n"
      "\n"
      "data: {\"type\":\"content_block_stop\",\"index\":2}\n"
      "\n"
      "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":9}}\n"
      "\n"
      "data: {\"type\":\"message_stop\"}\n"
      "\n",
      "{\"id\":\"msg_3\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
      "\"tool_calls\":[{\"index\":0,\"id\":\"toolu_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]},"
      "\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_3\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
      "\"function\":{\"arguments\":\"{\\\"x\\\":\"}}]},\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_3\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
      "\"function\":{\"arguments\":\"1}\"}}]},\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_3\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,"
      "\"id\":\"toolu_2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"y\\\":[2]}\"}}]},\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_3\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":2,"
      "\"id\":\"toolu_3\",\"type\":\"function\",\"function\":{\"name\":\"h\",\"arguments\":\"\"}}]},\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_3\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":2,"
      "\"function\":{\"arguments\":\"{}\"}}]},\"finish_reason\":null}]}\n"
      "{\"id\":\"msg_3\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n"
      "{\"id\":\"msg_3\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":9,"
      "\"total_tokens\":14}}\n"
      "[DONE]\n", ERR_OK, "" },
    { "what the place does by itself is not the caller's",
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_4\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n"
      "\n"
      "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"srv_1\","
      "\"name\":\"web_search\",\"input\":{}}}\n"
      "\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_stop\",\"index\":0}\n"
      "\n"
      "data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"citations_delta\",\"citation\":{}}}\n"
      "\n"
      "data: {\"type\":\"something_new\"}\n"
      "\n"
      "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\"},\"usage\":{\"output_tokens\":0}}\n"
      "\n"
      "data: {\"type\":\"message_stop\"}\n"
      "\n",
      "{\"id\":\"msg_4\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},"
      "\"finish_reason\":\"content_filter\"}]}\n"
      "{\"id\":\"msg_4\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":0,"
      "\"total_tokens\":5}}\n"
      "[DONE]\n", ERR_OK, "" },
    { "a stream that ends behind its reason is whole",
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_5\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n"
      "\n"
      "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"pause_turn\"},\"usage\":{\"output_tokens\":2}}\n"
      "\n",
      "{\"id\":\"msg_5\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},"
      "\"finish_reason\":\"stop\"}]}\n"
      "{\"id\":\"msg_5\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,"
      "\"total_tokens\":7}}\n"
      "[DONE]\n", ERR_OK, "" },
    { "one that breaks off is not",
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_6\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n"
      "\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n"
      "\n",
      "{\"id\":\"msg_6\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"},"
      "\"finish_reason\":null}]}\n", ERR_UP_GARBLED, "its stream broke off before the message was over" },
    { "one that ends without a reason is not either",
      "data: {\"type\":\"message_stop\"}\n"
      "\n", "", ERR_UP_GARBLED, "its message ended without a word of why" },
    { "too much to do",
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n"
      "\n"
      "event: error\n"
      "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n"
      "\n"
      "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"b\"}}\n"
      "\n",
      "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"},"
      "\"finish_reason\":null}]}\n", ERR_UP_BUSY, "it broke off with an error: Overloaded" },
    { "a fault of its own",
      "data: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Internal server error\"}}\n"
      "\n", "", ERR_UP_STATUS, "it broke off with an error: Internal server error" },
    { "no object",
      "data: [1]\n\n", "", ERR_UP_GARBLED, "it sent an event that is no object" },
    { "no JSON",
      "data: {\"type\":\"message_start\"\n"
      "\n", "", ERR_UP_GARBLED, "it sent an event that is no JSON" },
    { "nothing at all", "", "", ERR_UP_GARBLED, "its stream broke off before the message was over" },
};
/* clang-format on */

static void test_a_request_is_said_in_its_words(void **state)
{
    for (size_t i = 0; i < COUNTOF(bodies); i++)
        check_body(&dialect_anthropic, &bodies[i]);
}

static void test_its_stream_cut_anywhere_gives_the_same_events(void **state)
{
    for (size_t i = 0; i < COUNTOF(streams); i++)
        check_stream(&dialect_anthropic, &streams[i]);
}

static void test_who_stops_hears_no_more(void **state)
{
    check_stop(&dialect_anthropic, streams[0].stream);
}

/* Whatever it is: what the gateway's own reading has of it is its beginning. */
static void test_long_texts_are_whole(void **state)
{
    check_long_text(&dialect_anthropic, MESSAGES "[{\"role\":\"user\",\"content\":\"@\"}]}",
        "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"@\"}]}]}");
    check_long_text(&dialect_anthropic, MESSAGES "[{\"role\":\"system\",\"content\":\"@\"}," "{\"role\":\"user\",\"content\":\"a\"}]}",
        "{\"model\":\"x\"," HEAD "\"system\":[{\"type\":\"text\",\"text\":\"@\"}]," A "}");
    check_long_text(&dialect_anthropic,
        MESSAGES "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image\\/png;base64,@\"}}]}]}",
        "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
        "\"media_type\":\"image/png\",\"data\":\"@\"}}]}]}");
    check_long_text(&dialect_anthropic,
        MESSAGES "[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":\\\"@\\\"}\"}}]}]}",
        "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"f\","
        "\"input\":{\"x\":\"@\"}}]}]}");
    check_long_text(&dialect_anthropic, MESSAGES "[{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"@\"}]}",
        "{\"model\":\"x\"," HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"1\","
        "\"content\":\"@\"}]}]}");
}

static void test_an_event_that_is_too_long_is_garbled(void **state)
{
    static const struct stream_case c = { "too long", "data: {\"type\":\"ping\",\"pong\":\"abcdefghijklmnopqrstuvwxyz\"}\n\n", "", ERR_UP_GARBLED, "longer than 32" };
    max_line = 32;
    check_stream(&dialect_anthropic, &c);
    max_line = MAX_LINE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_said_in_its_words),
        cmocka_unit_test(test_its_stream_cut_anywhere_gives_the_same_events),
        cmocka_unit_test(test_who_stops_hears_no_more),
        cmocka_unit_test(test_long_texts_are_whole),
        cmocka_unit_test(test_an_event_that_is_too_long_is_garbled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
