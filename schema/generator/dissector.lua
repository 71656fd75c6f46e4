-- openclaw_bus: the bus of an OpenClaw gateway in Wireshark and tshark.
--
-- Reads ZMTP 3 on TCP (each stream that begins with its greeting), and captures that
-- `openclaw bus tap --pcap` makes, of link type USER0. Made from schema/ with every build;
-- copy it to the folder of personal Lua plugins (Help, About Wireshark, Folders).

local proto = Proto("openclaw_bus", "OpenClaw bus")

local KINDS = {
    [1] = "call", [2] = "reply", [3] = "fail", [4] = "cast", [5] = "publish",
    [6] = "chunk", [7] = "grant", [8] = "cancel", [9] = "forwarded", [10] = "credit",
}

-- @TABLES@

local f = proto.fields
f.version = ProtoField.uint8("openclaw_bus.version", "Version")
f.kind = ProtoField.uint8("openclaw_bus.kind_number", "Kind", base.DEC, KINDS)
f.kind_name = ProtoField.string("openclaw_bus.kind", "Kind, by name")
f.id = ProtoField.uint64("openclaw_bus.id", "Id")
f.corr = ProtoField.uint64("openclaw_bus.corr", "Call", base.DEC, nil, nil, "The asker's number of the call")
f.from = ProtoField.string("openclaw_bus.from", "From")
f.to = ProtoField.string("openclaw_bus.to", "To")
f.address = ProtoField.string("openclaw_bus.address", "Address, either")
f.name = ProtoField.string("openclaw_bus.name", "Name")
f.method = ProtoField.string("openclaw_bus.method", "Method")
f.topic = ProtoField.string("openclaw_bus.topic", "Topic")
f.left_ms = ProtoField.uint32("openclaw_bus.left_ms", "Left", base.DEC, nil, nil, "Milliseconds until the asker gives up")
f.trace = ProtoField.string("openclaw_bus.trace", "Trace")
f.flags = ProtoField.uint32("openclaw_bus.flags", "Flags", base.HEX)
f.principal = ProtoField.string("openclaw_bus.principal", "Principal")
f.incarnation = ProtoField.uint32("openclaw_bus.incarnation", "Incarnation", base.HEX)
f.via = ProtoField.string("openclaw_bus.via", "Via")
f.asker = ProtoField.uint32("openclaw_bus.asker", "Incarnation of the asker", base.HEX)
f.summary = ProtoField.string("openclaw_bus.summary", "Says")
f.body_bytes = ProtoField.uint32("openclaw_bus.bytes", "Bytes of the body")
f.value = ProtoField.string("openclaw_bus.value", "Value")
f.zmtp = ProtoField.string("openclaw_bus.zmtp", "ZMTP")
f.mechanism = ProtoField.string("openclaw_bus.mechanism", "Mechanism")
f.encrypted = ProtoField.bool("openclaw_bus.encrypted", "Encrypted")

local e_malformed = ProtoExpert.new("openclaw_bus.malformed.expert", "Not an envelope of the bus",
                                    expert.group.MALFORMED, expert.severity.WARN)
local e_undelivered = ProtoExpert.new("openclaw_bus.undelivered.expert", "Not delivered", expert.group.RESPONSE_CODE,
                                      expert.severity.WARN)
proto.experts = { e_malformed, e_undelivered }

local DEPTH_MAX = 32

-- --- msgpack ---------------------------------------------------------------------------------

-- One head: kind, offset behind it, and the value, length or count.
local function head_at(tvb, at)
    local b = tvb(at, 1):uint()
    if b < 0x80 then return "int", at + 1, b end
    if b < 0x90 then return "map", at + 1, b - 0x80 end
    if b < 0xa0 then return "array", at + 1, b - 0x90 end
    if b < 0xc0 then return "str", at + 1, b - 0xa0 end
    if b == 0xc0 then return "nil", at + 1, "nil" end
    if b == 0xc2 then return "bool", at + 1, "false" end
    if b == 0xc3 then return "bool", at + 1, "true" end
    if b >= 0xc4 and b <= 0xc6 then
        local n = 2 ^ (b - 0xc4)
        return "bin", at + 1 + n, tvb(at + 1, n):uint()
    end
    if b >= 0xc7 and b <= 0xc9 then
        local n = 2 ^ (b - 0xc7)
        return "ext", at + 2 + n, tvb(at + 1, n):uint()
    end
    if b == 0xca then return "float", at + 5, tvb(at + 1, 4):float() end
    if b == 0xcb then return "float", at + 9, tvb(at + 1, 8):float() end
    if b == 0xcf then return "int", at + 9, tvb(at + 1, 8):uint64() end
    if b >= 0xcc and b <= 0xce then
        local n = 2 ^ (b - 0xcc)
        return "int", at + 1 + n, tvb(at + 1, n):uint()
    end
    if b == 0xd3 then return "int", at + 9, tvb(at + 1, 8):int64() end
    if b >= 0xd0 and b <= 0xd2 then
        local n = 2 ^ (b - 0xd0)
        return "int", at + 1 + n, tvb(at + 1, n):int()
    end
    if b >= 0xd4 and b <= 0xd8 then return "ext", at + 2, 2 ^ (b - 0xd4) end
    if b >= 0xd9 and b <= 0xdb then
        local n = 2 ^ (b - 0xd9)
        return "str", at + 1 + n, tvb(at + 1, n):uint()
    end
    if b == 0xdc then return "array", at + 3, tvb(at + 1, 2):uint() end
    if b == 0xdd then return "array", at + 5, tvb(at + 1, 4):uint() end
    if b == 0xde then return "map", at + 3, tvb(at + 1, 2):uint() end
    if b == 0xdf then return "map", at + 5, tvb(at + 1, 4):uint() end
    error("a byte that msgpack does not have")
end

local function text_at(tvb, at, len)
    if len == 0 then return "" end
    return tvb(at, len):string(ENC_UTF_8)
end

-- A text or bytes as a Lua string, and the offset behind it.
local function string_at(tvb, at)
    local kind, after, len = head_at(tvb, at)
    if kind ~= "str" and kind ~= "bin" then error("no text where one must be") end
    if kind == "bin" then return tvb(after, len):bytes():tohex(true), after + len end
    return text_at(tvb, after, len), after + len
end

local function number_at(tvb, at)
    local kind, after, value = head_at(tvb, at)
    if kind ~= "int" then error("no number where one must be") end
    return value, after
end

-- The field tables of a struct, by the name of its type or given at once.
local function shape_of(shape)
    if type(shape) == "string" then return TYPES[shape] end
    return shape
end

local value_add

-- `info` is {summary, shape of what is inside} of this value, or nil.
local function container_add(tvb, at, tree, label, info, depth)
    local kind, after, count = head_at(tvb, at)
    local start = at
    local node = tree:add(proto, tvb(at))
    local shape = shape_of(info and info[2])
    at = after
    for i = 1, count do
        if kind == "map" then
            local key
            key, after = string_at(tvb, at)
            at = value_add(tvb, after, node, key, shape and shape[key], depth + 1)
        else
            at = value_add(tvb, at, node, "[" .. (i - 1) .. "]", info and { nil, info[2] }, depth + 1)
        end
    end
    node:set_len(at - start)
    node:set_text(label .. ": " .. (kind == "map" and "{" or "[") .. count .. (kind == "map" and "}" or "]"))
    if info and info[1] then node:append_text("  -- " .. info[1]) end
    return at
end

value_add = function(tvb, at, tree, label, info, depth)
    if depth > DEPTH_MAX then error("nested too deep") end
    local kind, after, value = head_at(tvb, at)
    if kind == "map" or kind == "array" then return container_add(tvb, at, tree, label, info, depth) end
    local text
    if kind == "str" then
        text = '"' .. text_at(tvb, after, value) .. '"'
        after = after + value
    elseif kind == "bin" or kind == "ext" then
        text = value > 0 and tvb(after, value):bytes():tohex(true) or ""
        after = after + value
    else
        text = tostring(value)
    end
    local node = tree:add(f.value, tvb(at, after - at), label .. "=" .. text)
    node:set_text(label .. ": " .. text)
    if info and info[1] then node:append_text("  -- " .. info[1]) end
    return after
end

-- --- the envelope ----------------------------------------------------------------------------

local HEADER = {
    { "version", "number" }, { "kind", "number" }, { "id", "number" }, { "corr", "number" }, { "from", "text" },
    { "to", "text" }, { "name", "text" }, { "left_ms", "number" }, { "trace", "text" }, { "flags", "number" },
    { "principal", "text" }, { "incarnation", "number" }, { "via", "text" }, { "asker", "number" },
}

local NO_TRACE = string.rep("0", 32)

-- Some of it is not there: no field for that.
local function is_absent(name, value)
    return value == "" or (name == "trace" and value == NO_TRACE) or (name == "left_ms" and value == 4294967295)
end

local function header_add(tvb, tree)
    local kind, at, count = head_at(tvb, 0)
    local header = {}
    if kind ~= "array" or count ~= #HEADER then error("a header of another shape") end
    for _, field in ipairs(HEADER) do
        local name, is_text, start = field[1], field[2] == "text", at
        local value
        if is_text then value, at = string_at(tvb, at) else value, at = number_at(tvb, at) end
        header[name] = value
        if not is_absent(name, value) then
            -- A number is packed at its shortest: the small ones come as one of Lua's.
            if (name == "id" or name == "corr") and type(value) == "number" then value = UInt64.new(value, 0) end
            tree:add(f[name], tvb(start, at - start), value)
        end
    end
    header.kind_name = KINDS[header.kind] or "unknown"
    tree:add(f.kind_name, tvb(0, 1), header.kind_name):set_hidden()
    tree:add(f.address, tvb(0, 1), header.from):set_hidden()
    tree:add(f.address, tvb(0, 1), header.to):set_hidden()
    if header.name ~= "" then
        tree:add(header.kind == 5 and f.topic or f.method, tvb(0, 1), header.name):set_hidden()
    end
    return header
end

-- What the schema says of this body: {summary, fields}. An answer bears the name of its method.
local function message_of(header)
    if header.kind == 5 then return TOPICS[header.name] end
    local message = MESSAGES[header.name]
    if header.kind == 2 then return message and message[3] and MESSAGES[message[3]] end
    if header.kind == 3 then return FAILURE end
    return message
end

local function body_add(tvb, tree, header)
    local message = message_of(header)
    local node = tree:add(proto, tvb())
    node:set_text("Body, " .. tvb:len() .. " bytes")
    value_add(tvb, 0, node, header.name ~= "" and header.name or "body",
              { message and message[1], message and message[2] }, 0)
end

-- A watcher's note ahead of the envelope: {host, sender, bytes, undelivered, handledBy, waitUs, handlerUs}.
local function note_add(tvb, tree, note)
    local node = tree:add(proto, tvb())
    node:set_text("Seen by the tap")
    value_add(tvb, 0, node, "tap", nil, 0)
    local kind, at, count = head_at(tvb, 0)
    if kind ~= "map" then error("a note of another shape") end
    for _ = 1, count do
        local key
        key, at = string_at(tvb, at)
        local value_kind, after, value = head_at(tvb, at)
        if value_kind == "str" then
            note[key] = text_at(tvb, after, value)
            at = after + value
        else
            note[key] = tonumber(tostring(value))
            at = after
        end
    end
    if note.undelivered then node:add_proto_expert_info(e_undelivered, "Not delivered: " .. note.undelivered) end
end

local function info_text(header, body_bytes, note)
    local text = header.kind_name .. " " .. header.from .. " > " .. header.to
    if header.name ~= "" then text = text .. " " .. header.name end
    if note.handledBy then return text .. ", handled by " .. note.handledBy end
    return text .. ", " .. body_bytes .. " B"
end

-- Frames of one message: {note}, header, body.
local function envelope_add(frames, pinfo, tree)
    local note = {}
    if frames.note then note_add(frames.note, tree, note) end
    local header = header_add(frames[1], tree)
    local message = MESSAGES[header.name] or TOPICS[header.name]
    if message and message[1] then tree:add(f.summary, message[1]):set_generated() end
    local body = frames[2]
    local bytes = note.bytes or (body and body:len() or 0)
    tree:add(f.body_bytes, bytes):set_generated()
    if body and body:len() > 0 then body_add(body, tree, header) end
    pinfo.cols.info = info_text(header, bytes, note)
    tree:append_text(", " .. info_text(header, bytes, note))
end

-- --- ZMTP 3 (RFC 23) ------------------------------------------------------------------------------

local GREETING = 64

-- Flags, offset of the content, and its length; nil when there is too little to know.
local function frame_at(tvb, at)
    local left = tvb:len() - at
    if left < 2 then return nil end
    local flags = tvb(at, 1):uint()
    if flags > 7 then error("no frame of ZMTP") end
    if flags % 4 < 2 then return flags, at + 2, tvb(at + 1, 1):uint() end
    if left < 9 then return nil end
    return flags, at + 9, tvb(at + 1, 8):uint64():tonumber()
end

local function is_command(flags) return flags >= 4 end
local function has_more(flags) return flags % 2 == 1 end

-- The end of the message or command that begins there; nil when it is not all there yet.
local function message_end(tvb, at)
    while true do
        local flags, content, len = frame_at(tvb, at)
        if not flags or content + len > tvb:len() then return nil end
        at = content + len
        if is_command(flags) or not has_more(flags) then return at end
    end
end

local function command_add(tvb, pinfo, tree, content, len)
    local name = len > 0 and text_at(tvb, content + 1, math.min(tvb(content, 1):uint(), len - 1)) or ""
    tree:add(f.zmtp, tvb(content, len), name)
    pinfo.cols.info = "ZMTP " .. name
end

local function is_note(tvb, content, len)
    return len > 4 and tvb(content, 1):uint() == 3 and text_at(tvb, content + 1, 3) == "TAP"
end

-- With CURVE every frame of a message is one of these.
local function is_encrypted(tvb, content, len)
    return len > 8 and tvb(content, 1):uint() == 7 and text_at(tvb, content + 1, 7) == "MESSAGE"
end

local function message_add(tvb, pinfo, tree, at, frames)
    local flags, content, len
    repeat
        flags, content, len = frame_at(tvb, at)
        if is_command(flags) then
            if is_note(tvb, content, len) then
                frames.note = tvb(content + 4, len - 4):tvb()
            else
                command_add(tvb, pinfo, tree, content, len)
            end
            return content + len
        end
        if is_encrypted(tvb, content, len) then
            tree:add(f.encrypted, tvb(content, len), true)
            frames.is_encrypted = true
        end
        table.insert(frames, len > 0 and tvb(content, len):tvb() or ByteArray.new():tvb("empty"))
        at = content + len
    until not has_more(flags)
    if frames.is_encrypted then
        pinfo.cols.info = "encrypted message (CURVE), " .. tvb:len() .. " B"
    else
        envelope_add(frames, pinfo, tree)
    end
    return at
end

local function greeting_add(tvb, pinfo, tree, at)
    local mechanism = tvb(at + 12, 20):stringz()
    tree:add(f.zmtp, tvb(at, GREETING), "greeting")
    tree:add(f.mechanism, tvb(at + 12, 20), mechanism)
    pinfo.cols.info = "ZMTP greeting, " .. mechanism
    return at + GREETING
end

-- Calls `add`; what it cannot read is marked, not lost.
local function guarded(tvb, pinfo, tree, add)
    local is_ok, why = pcall(add)
    if not is_ok then
        tree:add_proto_expert_info(e_malformed, "Not an envelope of the bus: " .. tostring(why))
        pinfo.cols.info = "malformed"
    end
end

-- One message after the other; the rest waits for the next segment.
local function stream_dissect(tvb, pinfo, tree)
    local at = 0
    while at < tvb:len() do
        local is_greeting = tvb(at, 1):uint() == 0xff
        local after
        if is_greeting then
            after = tvb:len() - at >= GREETING and at + GREETING or nil
        else
            local is_ok, value = pcall(message_end, tvb, at)
            if not is_ok then return at end
            after = value
        end
        if not after then
            pinfo.desegment_offset = at
            pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
            return tvb:len()
        end
        local node = tree:add(proto, tvb(at, after - at))
        guarded(tvb, pinfo, node, function()
            if is_greeting then greeting_add(tvb, pinfo, node, at) else message_add(tvb, pinfo, node, at, {}) end
        end)
        at = after
    end
    return at
end

function proto.dissector(tvb, pinfo, tree)
    pinfo.cols.protocol = "OpenClaw"
    return stream_dissect(tvb, pinfo, tree)
end

-- --- captures of the tap: one message to a packet, with a note ahead -------------------------------

local packet = Proto("openclaw_tap", "OpenClaw tap")

function packet.dissector(tvb, pinfo, tree)
    local node = tree:add(proto, tvb())
    pinfo.cols.protocol = "OpenClaw"
    guarded(tvb, pinfo, node, function()
        local frames = {}
        local at = message_add(tvb, pinfo, node, 0, frames)
        if at < tvb:len() then message_add(tvb, pinfo, node, at, frames) end
    end)
    return tvb:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, packet)

local function is_zmtp(tvb, pinfo, tree)
    if tvb:len() < 10 or tvb(0, 1):uint() ~= 0xff or tvb(9, 1):uint() ~= 0x7f then return false end
    pinfo.conversation = proto
    proto.dissector(tvb, pinfo, tree)
    return true
end

proto:register_heuristic("tcp", is_zmtp)
DissectorTable.get("tcp.port"):add_for_decode_as(proto)
