"""
What Redis does of a turn, each in one step: open it, answer it, go on by what was remembered.

Where a session is: `owner`, `heard` and `digest` of the last text that was answered, `state`, the
`token` of whoever had the turn last and `until` when they hold it, and how many `hops` there were.
"""

from __future__ import annotations

from typing import Final

from menus.scripts import Script

# Returns what the turn is, and the fields that go with it. `r:<digest>` holds the answer given to
# each text, so that a repeat of any earlier hop is answered byte for byte the same. The caller
# guesses how much of the text was heard before, which is nearly always all but the last answer.
# Of what a new session's caller left, it tells whether a hop of that session is under way still.
OPEN: Final = Script("""
local key = KEYS[1]
local owner, position, digest, token = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local guess, guess_digest = tonumber(ARGV[5]), ARGV[6]
local lease_ms, ttl, hops_max = tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local kept = redis.call('HMGET', key, 'owner', 'heard', 'digest', 'until', 'state', 'last', 'hops',
    'token', 'r:' .. digest)
local heard, hops = tonumber(kept[2] or '-1'), tonumber(kept[7] or '0')
if kept[1] and kept[1] ~= owner then return {'foreign'} end
if kept[9] then return {'replay', kept[9]} end
if kept[4] and tonumber(kept[4]) > now and kept[8] ~= token then return {'pending'} end
if heard >= 0 then
    if position <= heard then
        if hops < hops_max then
            redis.call('HSET', key, 'r:' .. digest, kept[6], 'hops', hops + 1)
        end
        return {'stale', kept[6]}
    end
    if guess ~= heard then return {'heard', heard} end
    if guess_digest ~= kept[3] or hops >= hops_max then return {'gap'} end
end
redis.call('HSET', key, 'owner', owner, 'token', token, 'until', now + lease_ms, 'hops', hops + 1)
if not kept[1] then redis.call('EXPIRE', key, ttl) end
if heard < 0 then
    local left = redis.call('GET', KEYS[2])
    local held = left and redis.call('HGET', ARGV[10] .. string.match(left, '^[^\\n]*'), 'until')
    return {'new', left, held and tonumber(held) > now and 1 or 0}
end
return {'next', heard, kept[5]}
""")

# How an answer is kept. What is left behind for the caller's next session is the state, or nothing
# (`drop`), or what was left before (`leave`).
_ANSWER: Final = """
local key = KEYS[1]
local owner, position, digest, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local reply, state, ttl = ARGV[5], ARGV[6], ARGV[7]
local keeps, session, left_ttl = ARGV[8], ARGV[9], ARGV[10]
local function answer(...)
    redis.call('HSET', key, 'heard', position, 'digest', digest, 'state', state, 'last', reply,
        'r:' .. digest, reply, ...)
    redis.call('EXPIRE', key, ttl)
    if keeps == 'keep' then
        redis.call('SET', KEYS[2], session .. '\\n' .. state, 'EX', left_ttl)
    elseif keeps == 'drop' then
        redis.call('DEL', KEYS[2])
    end
end
"""

# A holder whose lease ran out, and whose turn somebody else has taken since, may not answer: it
# gets the other's answer, empty where there is none yet. A session that is gone (Redis was emptied)
# is made anew.
COMMIT: Final = Script(
    _ANSWER
    + """
local kept = redis.call('HMGET', key, 'owner', 'token')
if kept[1] and (kept[1] ~= owner or kept[2] ~= token) then
    return redis.call('HGET', key, 'r:' .. digest) or redis.call('HGET', key, 'last') or ''
end
answer('owner', owner, 'until', 0)
"""
)

# Whoever goes on by what they remember has claimed nothing. If somebody claimed or answered a turn
# since, they left another token; and nobody may be holding one. Run again because its answer was
# lost, it is overtaken by itself: opening the turn then finds what was kept.
GO_ON: Final = Script(
    _ANSWER
    + """
local before, hops_max = ARGV[11], tonumber(ARGV[12])
local kept = redis.call('HMGET', key, 'owner', 'token', 'hops', 'until')
if kept[1] ~= owner or kept[2] ~= before or tonumber(kept[3]) >= hops_max or kept[4] ~= '0' then
    return 'overtaken'
end
answer('token', token, 'hops', kept[3] + 1)
"""
)
