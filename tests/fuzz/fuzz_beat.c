/* What a model answers to a heartbeat, HEARTBEAT.md, and lengths of time. */
#include <string.h>

#include "actors/agent/beat_text.h"
#include "schema/base/duration.h"
#include "tests/fuzz/fuzz.h"

static void judge(struct span text)
{
    struct text_buf out = { 0 };
    enum beat_word word = BEAT_EMPTY;

    FUZZ_HOLD(beat_judge(text, 3, &out, &word) == 0);
    FUZZ_HOLD(out.len <= text.len);
    FUZZ_HOLD(word != BEAT_ALERT || out.len);
    FUZZ_HOLD(word != BEAT_OK || memmem(text.ptr, text.len, BEAT_TOKEN, sizeof(BEAT_TOKEN) - 1));
    text_buf_deinit(&out);
}

static void file(struct span text)
{
    struct beat_task tasks[BEAT_TASKS_MAX];
    size_t tasks_n = beat_tasks_read(text, tasks);
    struct text_buf rest = { 0 };

    FUZZ_HOLD(tasks_n <= BEAT_TASKS_MAX);
    FUZZ_HOLD(!tasks_n || !beat_file_is_empty(text));
    for (size_t i = 0; i < tasks_n; i++) {
        FUZZ_HOLD(tasks[i].name.len && tasks[i].name.len <= BEAT_TASK_NAME_MAX && tasks[i].prompt.len);
        FUZZ_HOLD(tasks[i].every_ms >= 0 && tasks[i].every_ms <= DURATION_MAX_MS);
        FUZZ_HOLD(tasks[i].name.ptr >= text.ptr && tasks[i].prompt.ptr + tasks[i].prompt.len <= text.ptr + text.len);
    }
    FUZZ_HOLD(beat_rest_add(text, &rest) == 0);
    FUZZ_HOLD(rest.len <= text.len + 1);
    text_buf_deinit(&rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data, size };
    int64_t ms = 0;
    int minutes = 0;

    judge(text);
    file(text);
    FUZZ_HOLD(!duration_parse(text, 60000, &ms) || (ms >= 0 && ms <= DURATION_MAX_MS));
    FUZZ_HOLD(!duration_parse_clock(text, true, &minutes) || (minutes >= 0 && minutes <= DURATION_DAY_MINUTES));
    return 0;
}
