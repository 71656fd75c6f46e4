/*
 * vectors: device signatures made by independent clients, one for each thing that the
 * format does: both versions, no token, metadata that is trimmed and lowered.
 */
#ifndef TESTS_UNIT_AUTH_VECTORS_H
#define TESTS_UNIT_AUTH_VECTORS_H

#include <stddef.h>

struct vector {
    const char *name;
    int version;
    const char *device_id;
    const char *public_key;
    const char *signature;
    const char *payload;
    const char *params; /* of the connect request, without its nonce */
    const char *nonce;
    long long signed_at_ms;
};

static const struct vector vectors[] = {
    { "v3 shared token operator", 3, "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c",
      "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg",
      "RXpR8cNwH8sQni4Gj-6ACUU57Ur_h5usNjnOiCC6MWmKnicXilOtMhXPIjwogZe8o4CSwWj2nVLNTR4v3-MBDA",
      "v3|56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c|cli|cli|operator"
      "|operator.read,operator.write|1737264000000|TOKEN-DUMMY-0001|11111111-2222-3333-4444"
      "-555555555555|linux|",
      "{\"minProtocol\": 3, \"maxProtocol\": 3, \"client\": {\"id\": \"cli\", \"mode\": \"cli\", \"version"
      "\": \"1\", \"platform\": \"linux\"}, \"role\": \"operator\", \"scopes\": [\"operator.read\", \"opera"
      "tor.write\"], \"device\": {\"id\": \"56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b"
      "2eab107708c\", \"publicKey\": \"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg\", \"signature"
      "\": \"RXpR8cNwH8sQni4Gj-6ACUU57Ur_h5usNjnOiCC6MWmKnicXilOtMhXPIjwogZe8o4CSwWj2nVLNTR4v"
      "3-MBDA\", \"signedAt\": 1737264000000, \"nonce\": \"11111111-2222-3333-4444-555555555555\"}"
      ", \"auth\": {\"token\": \"TOKEN-DUMMY-0001\"}}",
      "11111111-2222-3333-4444-555555555555", 1737264000000LL },
    { "v2 no token node empty scopes", 2, "fe812c12f3ab4ce6ac5db69ac352f906cb1b11ef43fb33e252ef7ff552263889",
      "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw",
      "MYGeE-DIzCHnG5dvm_iCqDRg6o_P-w647x6sFmewBzEh9a7nTuOV427Kj9BICXDEqTialcI3z9q-KfIlPZJuCA",
      "v2|fe812c12f3ab4ce6ac5db69ac352f906cb1b11ef43fb33e252ef7ff552263889|node-host|node|n"
      "ode||1737264000001||aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
      "{\"minProtocol\": 3, \"maxProtocol\": 3, \"client\": {\"id\": \"node-host\", \"mode\": \"node\", \""
      "version\": \"1\"}, \"role\": \"node\", \"scopes\": [], \"device\": {\"id\": \"fe812c12f3ab4ce6ac5d"
      "b69ac352f906cb1b11ef43fb33e252ef7ff552263889\", \"publicKey\": \"6kpsY-KcUgq-9VB7Ey7F-ZV"
      "Hdq6-vnuSQh7qaRRG0iw\", \"signature\": \"MYGeE-DIzCHnG5dvm_iCqDRg6o_P-w647x6sFmewBzEh9a7"
      "nTuOV427Kj9BICXDEqTialcI3z9q-KfIlPZJuCA\", \"signedAt\": 1737264000001, \"nonce\": \"aaaaa"
      "aaa-bbbb-cccc-dddd-eeeeeeeeeeee\"}}",
      "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", 1737264000001LL },
    { "v3 metadata normalisation (trim, ASCII lower)", 3,
      "dbc298251c51321b7266e78d1c151c2b62aff8cb95b293096d3463018544face", "_RckOFqgx1tk-3jNYC-h2ZH96_drE8WO1wLqyDXp9hg",
      "ETDCtsqnBc66YkemJsWzcH870dcIlNh1lzDjeelVE01wCxvqm2Ed3mzJm2_AjGz_rOIJNVaPcCPXiIZCk8jgAA",
      "v3|dbc298251c51321b7266e78d1c151c2b62aff8cb95b293096d3463018544face|openclaw-ios|ui|"
      "operator|operator.admin|1737264000002|DEVICE-TOKEN-DUMMY-0001|99999999-8888-7777-666"
      "6-555555555555|ios 18.4.0|iphone",
      "{\"minProtocol\": 3, \"maxProtocol\": 3, \"client\": {\"id\": \"openclaw-ios\", \"mode\": \"ui\", "
      "\"version\": \"1\", \"platform\": \"  iOS 18.4.0 \", \"deviceFamily\": \"iPhone\"}, \"role\": \"ope"
      "rator\", \"scopes\": [\"operator.admin\"], \"device\": {\"id\": \"dbc298251c51321b7266e78d1c15"
      "1c2b62aff8cb95b293096d3463018544face\", \"publicKey\": \"_RckOFqgx1tk-3jNYC-h2ZH96_drE8W"
      "O1wLqyDXp9hg\", \"signature\": \"ETDCtsqnBc66YkemJsWzcH870dcIlNh1lzDjeelVE01wCxvqm2Ed3mz"
      "Jm2_AjGz_rOIJNVaPcCPXiIZCk8jgAA\", \"signedAt\": 1737264000002, \"nonce\": \"99999999-8888"
      "-7777-6666-555555555555\"}, \"auth\": {\"token\": \"DEVICE-TOKEN-DUMMY-0001\"}}",
      "99999999-8888-7777-6666-555555555555", 1737264000002LL },
    { "v3 password-only auth (empty token slot)", 3, "fdf72a088f18f7399e8c52bce448441501f759a595a86980e5d9a422a01e5d55",
      "Zr5-Myx6RTMyvZ0Kf32wVfXF7xoGraZtmLOftoEMRzo",
      "7zigg0Ac7CaV-E5mQdtvdGVByUfsYBFoOH9ZSikuFZ066zHsR5Q8xwwjpCpVl_H1qz872O8T5YMmWBuhmGDvAg",
      "v3|fdf72a088f18f7399e8c52bce448441501f759a595a86980e5d9a422a01e5d55|gateway-client|b"
      "ackend|operator|operator.admin,operator.read|1737264000003||00000000-0000-4000-8000-"
      "000000000000|darwin|mac",
      "{\"minProtocol\": 3, \"maxProtocol\": 3, \"client\": {\"id\": \"gateway-client\", \"mode\": \"bac"
      "kend\", \"version\": \"1\", \"platform\": \"darwin\", \"deviceFamily\": \"Mac\"}, \"role\": \"operat"
      "or\", \"scopes\": [\"operator.admin\", \"operator.read\"], \"device\": {\"id\": \"fdf72a088f18f7"
      "399e8c52bce448441501f759a595a86980e5d9a422a01e5d55\", \"publicKey\": \"Zr5-Myx6RTMyvZ0Kf"
      "32wVfXF7xoGraZtmLOftoEMRzo\", \"signature\": \"7zigg0Ac7CaV-E5mQdtvdGVByUfsYBFoOH9ZSikuF"
      "Z066zHsR5Q8xwwjpCpVl_H1qz872O8T5YMmWBuhmGDvAg\", \"signedAt\": 1737264000003, \"nonce\": "
      "\"00000000-0000-4000-8000-000000000000\"}}",
      "00000000-0000-4000-8000-000000000000", 1737264000003LL },
};

#endif
