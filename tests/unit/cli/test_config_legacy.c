#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "edge/cli/config_legacy.h"
#include "schema/base/config_file.h"

struct told {
    unsigned done;
    unsigned stays;
    char last[CONFIG_LEGACY_SAYS_MAX];
};

static void on_says(void *arg, const char *says, bool is_done)
{
    struct told *told = arg;

    told->done += is_done;
    told->stays += !is_done;
    (void)strcpy(told->last, says);
}

static struct told moves(const char *text, const char *wanted)
{
    CLEANUP(text_buf_deinit) struct text_buf out = { 0 };
    struct told told = { 0 };

    assert_int_equal(config_legacy_move(span_from(text), on_says, &told, &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_string_equal(out.data, wanted);
    return told;
}

static bool is_same(struct span a, struct span b)
{
    struct value_iter it = value_iter(a);
    struct value_iter other_it = value_iter(b);
    struct span key;
    struct span item;
    struct span other_key;
    struct span other;
    bool is_map = value_kind_of(a) == VALUE_MAP;

    if (value_kind_of(a) != value_kind_of(b) || (!is_map && value_kind_of(a) != VALUE_ARRAY)) {
        return span_is(a, b);
    }
    bool is_equal = value_count(a) == value_count(b);
    while (is_equal && value_next(&it, &key, &item)) {
        if (is_map) {
            char name[128];

            (void)snprintf(name, sizeof(name), "%.*s", SPAN_FMT(key));
            other = value_get(b, name);
        } else {
            (void)value_next(&other_it, &other_key, &other);
        }
        is_equal = other.len && is_same(item, other);
    }
    return is_equal;
}

/* The same as data, whatever the order of keys is; and nothing is left to do a second time. */
static void means(const char *text, const char *wanted)
{
    CLEANUP(text_buf_deinit) struct text_buf out = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf again = { 0 };
    CLEANUP(pack_deinit) struct pack is;
    CLEANUP(pack_deinit) struct pack shall;
    struct config_error error = { "" };
    struct told told = { 0 };
    struct told twice = { 0 };

    pack_init(&is, 0);
    pack_init(&shall, 0);
    assert_int_equal(config_legacy_move(span_from(text), on_says, &told, &out), 0);
    assert_int_equal(config_file_parse((struct span){ out.data, out.len }, "", &is, &error), 0);
    assert_int_equal(config_file_parse(span_from(wanted), "", &shall, &error), 0);
    if (!is_same(pack_span(&is), pack_span(&shall))) {
        fail_msg("%s\n becomes %.*s\n  not %s", text, (int)out.len, out.data, wanted);
    }
    assert_int_equal(config_legacy_move((struct span){ out.data, out.len }, on_says, &twice, &again), 0);
    assert_int_equal(twice.done, 0);
}

static void a_text_of_today_stays_as_it_is(void **state)
{
    (void)state;
    const char *text = "// mine\n{ gateway: { mode: 'local' }, agents: { list: [] }, }\n";

    assert_int_equal(moves(text, text).done, 0);
}

static void keys_move_and_comments_stay(void **state)
{
    (void)state;
    struct told told =
        moves("{ /* a */ routing: { queue: 1 }, // b\n c: 2 }", "{ /* a */ // b\n c: 2, messages: {\"queue\":1} }");

    assert_int_equal(told.done, 1);
    assert_string_equal(told.last, "routing.queue becomes messages.queue");
}

static void the_rest_of_an_object_goes_where_it_belongs(void **state)
{
    (void)state;
    assert_int_equal(
        moves("{agent:{model:\"a/b\",workspace:\"/w\",tools:{x:1}}}",
              "{tools: {\"x\":1}, agents: {\"defaults\":{\"model\":{\"primary\":\"a/b\"}, \"workspace\": \"/w\"}}}")
            .done,
        3);
}

static void a_model_that_is_an_object_is_one_still(void **state)
{
    (void)state;
    means("{agent:{model:{primary:'a/b'},imageModel:{primary:'c/d'}}}",
          "{agents:{defaults:{model:{primary:'a/b'},imageModel:{primary:'c/d'}}}}");
    means("{agent:{model:{primary:'a/b'},modelFallbacks:['e/f'],imageModel:'c/d',imageModelFallbacks:['g/h']}}",
          "{agents:{defaults:{model:{primary:'a/b',fallbacks:['e/f']},"
          "imageModel:{primary:'c/d',fallbacks:['g/h']}}}}");
    means("{agent:{model:{primary:'a/b',fallbacks:['e/f']}},agents:{defaults:{model:{primary:'x/y'}}}}",
          "{agents:{defaults:{model:{primary:'x/y',fallbacks:['e/f']}}}}");
}

static void what_is_there_already_is_never_overwritten(void **state)
{
    (void)state;
    struct told told = moves("{routing:{queue:1},messages:{queue:2}}", "{routing:{queue:1},messages:{queue:2}}");

    assert_int_equal(told.done, 0);
    assert_int_equal(told.stays, 1);
    told = moves("{identity:{a:1,b:2},agents:{list:[{id:'x',identity:{a:3}}]}}",
                 "{agents:{list:[{id:'x',identity:{a:3, b: 2}}]}}");
    assert_int_equal(told.stays, 0);
    (void)moves("{routing:{queue:1},messages:{queue:1}}", "{messages:{queue:1}}");
}

/* What each text of old is today, as data. */
static void what_is_where_today(void **state)
{
    static const char *const pairs[][2] = {
        { "{routing:{allowFrom:['+1']},channels:{whatsapp:{}}}", "{channels:{whatsapp:{allowFrom:['+1']}}}" },
        { "{routing:{allowFrom:['+1']}}", "{}" },
        { "{routing:{groupChat:{requireMention:true,historyLimit:5}},channels:{telegram:{},imessage:{groups:{'*':{}}}}"
          "}",
          "{channels:{telegram:{groups:{'*':{requireMention:true}}},imessage:{groups:{'*':{requireMention:true}}}},"
          "messages:{groupChat:{historyLimit:5}}}" },
        { "{audio:{transcription:{command:['whisper','-x','{input}'],timeoutSeconds:9}}}",
          "{tools:{media:{audio:{models:[{type:'cli',command:'whisper',args:['-x','{{MediaPath}}'],timeoutSeconds:9}],"
          "enabled:true}}}}" },
        { "{heartbeat:{every:'5m',showOk:true}}",
          "{channels:{defaults:{heartbeat:{showOk:true}}},agents:{defaults:{heartbeat:{every:'5m'}}}}" },
        { "{memorySearch:{enabled:true,a:1},agents:{defaults:{memorySearch:{a:2}}}}",
          "{agents:{defaults:{memorySearch:{a:2,enabled:true}}}}" },
        { "{agents:{defaults:{embeddedHarness:{runtime:'pi',x:1},agentRuntime:{fallback:'y'},sandbox:{perSession:true}}"
          ","
          "list:[{id:'a',sandbox:{perSession:false}}]}}",
          "{agents:{defaults:{agentRuntime:{id:'pi'},sandbox:{scope:'session'}},list:[{id:'a',sandbox:{scope:'shared'}}"
          "]}}" },
        { "{agent:{model:'a/b',allowedModels:['a/b','c/d'],modelAliases:{big:'c/d'}}}",
          "{agents:{defaults:{models:{'c/d':{alias:'big'},'a/b':{}},model:{primary:'a/b'}}}}" },
        { "{messages:{tts:{provider:'edge',enabled:true,openai:{voice:'x'},edge:{lang:'de'}}}}",
          "{messages:{tts:{provider:'microsoft',providers:{openai:{voice:'x'},microsoft:{lang:'de'}},auto:'always'}}"
          "}" },
        { "{channels:{discord:{accounts:{a:{voice:{tts:{elevenlabs:{k:1}}}},default:{}}}}}",
          "{channels:{discord:{accounts:{a:{voice:{tts:{providers:{elevenlabs:{k:1}}}}},default:{}}}}}" },
        { "{talk:{voiceId:'v',apiKey:'k',mode:'live'}}",
          "{talk:{providers:{elevenlabs:{voiceId:'v',apiKey:'k'}},realtime:{mode:'live'}}}" },
        { "{talk:{provider:'openai',voiceId:'v',providers:{openai:{voiceId:'w'},x:{}}}}",
          "{talk:{provider:'openai',voiceId:'v',providers:{openai:{voiceId:'w'},x:{}}}}" },
        { "{plugins:{entries:{'voice-call':{config:{provider:'log',twilio:{from:'+1'},"
          "streaming:{sttProvider:'openai',openaiApiKey:'k',sttModel:'m'}}}}}}",
          "{plugins:{entries:{'voice-call':{config:{provider:'mock',twilio:{},fromNumber:'+1',"
          "streaming:{provider:'openai',providers:{openai:{apiKey:'k',model:'m'}}}}}}}}" },
        { "{channels:{telegram:{streaming:true,chunkMode:'line',draftChunk:{a:1},botToken:'t',accounts:{one:{}}}}}",
          "{channels:{telegram:{streaming:{mode:'partial',chunkMode:'line',preview:{chunk:{a:1}}},"
          "accounts:{one:{},default:{botToken:'t'}}}}}" },
        { "{channels:{slack:{streamMode:'block',nativeStreaming:true,dm:{policy:'open',allowFrom:['*']},"
          "channels:{C1:{allow:true}}}}}",
          "{channels:{slack:{streaming:{mode:'block',nativeTransport:true},dmPolicy:'open',allowFrom:['*'],"
          "channels:{C1:{enabled:true}}}}}" },
        { "{channels:{matrix:{allowPrivateNetwork:true,dm:{policy:'trusted',allowFrom:['@a']},rooms:{r:{allow:false}}}}"
          "}",
          "{channels:{matrix:{network:{dangerouslyAllowPrivateNetwork:true},dm:{policy:'allowlist',allowFrom:['@a']},"
          "rooms:{r:{enabled:false}}}}}" },
        { "{session:{threadBindings:{ttlHours:4,spawnSubagentSessions:true,spawnAcpSessions:false},parentForkMaxTokens:"
          "1}}",
          "{session:{threadBindings:{idleHours:4,spawnSessions:false}}}" },
        { "{gateway:{bind:'0.0.0.0'},mcp:{servers:{a:{type:'http',url:'u'},b:{type:'stdio'}}}}",
          "{gateway:{bind:'lan'},mcp:{servers:{a:{url:'u',transport:'streamable-http'},b:{}}}}" },
        { "{tools:{web:{search:{apiKey:'k',gemini:{apiKey:'g'},provider:'brave'},fetch:{firecrawl:{apiKey:'f',enabled:"
          "true}},"
          "x_search:{apiKey:'x'}}}}",
          "{tools:{web:{search:{provider:'brave'},fetch:{}}},plugins:{entries:{google:{config:{webSearch:{apiKey:'g'}},"
          "enabled:true},brave:{config:{webSearch:{apiKey:'k'}},enabled:true},firecrawl:{config:{webFetch:{apiKey:'f'}}"
          ","
          "enabled:true},xai:{config:{webSearch:{apiKey:'x'}},enabled:true}}}}" },
        { "{tools:{message:{allowCrossContextSend:true},media:{audio:{models:[{deepgram:{smartFormat:true}}]}}}}",
          "{tools:{message:{crossContext:{allowWithinProvider:true,allowAcrossProviders:true}},"
          "media:{audio:{models:[{providerOptions:{deepgram:{smart_format:true}}}]}}}}" },
        { "{plugins:{allow:['a']}}", "{plugins:{allow:['a'],bundledDiscovery:'compat'}}" },
        { "{models:{providers:{p:{apiKey:'secretref-env:MY_KEY',models:[{api:'openai'}]}}}}",
          "{models:{providers:{p:{apiKey:{source:'env',provider:'default',id:'MY_KEY'},"
          "models:[{api:'openai-completions'}]}}}}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        means(pairs[i][0], pairs[i][1]);
    }
}

static void one_identity_becomes_that_of_the_first_agent(void **state)
{
    (void)state;
    (void)moves("{identity:{a:1}}", "{agents: {\"list\":[{\"id\":\"main\",\"identity\":{\"a\":1}}]}}");
    (void)moves("{identity:{a:1},agents:{list:[{id:\"x\"}]}}", "{agents:{list:[{id:\"x\", identity: {\"a\":1}}]}}");
}

static void agents_by_name_become_a_list(void **state)
{
    (void)state;
    (void)moves("{routing:{agents:{a:{name:\"A\"},b:{}},defaultAgentId:\"b\"}}",
                "{agents: {\"list\":[{\"id\":\"a\",\"name\":\"A\"},{\"id\":\"b\",\"default\":true}]}}");
    means("{agents:{defaults:{},entries:{a:{name:\"A\"},b:{id:\"c\"}}}}",
          "{agents:{defaults:{},list:[{id:\"a\",name:\"A\"},{id:\"b\"}]}}");
}

static void agents_in_two_places_stay_where_they_are(void **state)
{
    static const char both[] = "{agents:{list:[{id:\"a\"}],entries:{b:{}}}}";
    struct told told = moves(both, both);

    (void)state;
    assert_int_equal(told.done, 0);
    assert_int_equal(told.stays, 1);
    assert_string_equal(told.last, "agents.entries stays: there are agents at agents.list");
}

static void words_change_and_nothing_else_does(void **state)
{
    (void)state;
    (void)moves("{models:{providers:{\"p.q\":{api:'openai'},r:{api:'other'}}}}",
                "{models:{providers:{\"p.q\":{api:\"openai-completions\"},r:{api:'other'}}}}");
    (void)moves("{browser:{relayBindHost:1,profiles:{p:{driver:'extension'}}}}",
                "{browser:{profiles:{p:{driver:\"existing-session\"}}}}");
    (void)moves("{bindings:[{match:{accountID:1}},{match:{}}]}", "{bindings:[{match:{accountId: 1}},{match:{}}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_of_today_stays_as_it_is),
        cmocka_unit_test(keys_move_and_comments_stay),
        cmocka_unit_test(the_rest_of_an_object_goes_where_it_belongs),
        cmocka_unit_test(a_model_that_is_an_object_is_one_still),
        cmocka_unit_test(what_is_there_already_is_never_overwritten),
        cmocka_unit_test(what_is_where_today),
        cmocka_unit_test(one_identity_becomes_that_of_the_first_agent),
        cmocka_unit_test(agents_by_name_become_a_list),
        cmocka_unit_test(agents_in_two_places_stay_where_they_are),
        cmocka_unit_test(words_change_and_nothing_else_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
