#!lua name=plm_fleet_2
-- fleet.lua - the engine's side of a fleet: one function for each verb, and each call is one step.
--
-- Redis runs a function without interruption, so a claim, a commit, a return, a renewal and a
-- take-over happen as a whole or not at all. README.md lists the keys; each function gets the
-- prefix of the queue as the single key (P). The first argument is the epoch of the queue: a queue
-- that was replaced by an empty one has another epoch, and refuses the words of hosts of the
-- former.
--
-- A task is owned by the member (host) that claimed it, in one attempt. A commit names both; when a
-- take-over has changed either, the commit is void. Time is the time of the engine, here and only
-- here: clocks of hosts are never compared.

local FORMAT = '2'
local SWEEP = 200         -- tasks that one call moves on because their time has come
local TAKEN = 4           -- lost hosts that one call takes over
local PRIORITIES = 32767
local TURNS = 68719476736 -- 2^36: ids below the priority in a score
local DROPS = 64          -- large values that one renewal tells a host to drop
local DAY = 86400
local PUSHED = 8           -- tasks that one call gives to idle members unasked
local CLASSES = 64         -- classes that are kept although no task waits
local SWEPT_MS = 5         -- a claim sweeps at most as often
local CLAIM_BYTES = 8388608 -- words of tasks after which a claim takes no more
local CARRIED = 65536     -- bytes of values that go to a waiting user with the news of the end

-- Redis gives its commands to a function that runs, not to one that is being loaded: begun() fetches
-- this one.
local call

local function now()
	local t = call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- nil, or the error of a queue that is missing, of another format, or of another epoch.
local function refuse(P, epoch)
	if call('HGET', P .. 'meta', 'epoch') == epoch then
		return -- whose queue is of our format: open()
	end
	local meta = call('HMGET', P .. 'meta', 'format')
	if not meta[1] then
		return redis.error_reply('PLMNONE the queue is not there')
	end
	if meta[1] ~= FORMAT then
		return redis.error_reply('PLMFORMAT ' .. meta[1])
	end
	return redis.error_reply('PLMEPOCH the queue was replaced by another one')
end

-- A number as a text, which Redis then need not print as if it were a fraction.
local function text_of(number)
	return number == 1 and '1' or string.format('%.0f', number)
end

local function score(priority, id)
	return (PRIORITIES - priority) * TURNS + id -- exact: a score has 53 bits
end

local function ids_of(text)
	local ids = {}
	for id in string.gmatch(text or '', '%d+') do
		ids[#ids + 1] = id
	end
	return ids
end

-- The tasks that a task waits for, each with its condition: '' (has to be done), a (to have ended in
-- any way), f (to have failed or been cancelled).
local function deps_of(text)
	local deps = {}
	for id, how in string.gmatch(text or '', '(%d+)(%a?)') do
		deps[#deps + 1] = { id = id, how = how }
	end
	return deps
end

local function is_settled(state)
	return state == 'done' or state == 'failed' or state == 'cancelled'
end

-- May a task start that waited so for a task which is settled?
local function is_met(how, state)
	return how == 'a' or (how == 'f') == (state ~= 'done')
end

-- What becomes of the waiting task if not.
local function unmet(id, how, state, why)
	if how == 'f' then
		return 'cancelled', { 'msg', 'task ' .. id .. ', after whose failure it was to run, is done' }
	end
	return 'failed', { 'code', '121', 'msg',
		'task ' .. id .. ', which it waits for, ' .. state .. why }
end

-- For the host: how a task ended that a claimed task waited for under a condition.
local function end_text(id, state, code)
	return id .. ' ' .. state .. ' ' .. (state == 'failed' and code or state == 'cancelled' and '130' or
		'0') .. ';'
end

-- What a call has to write and to tell at its end, all at once: tasks that ended, a message for
-- each client, a count for each outcome.
local function ledger(P, t)
	-- s: the time as a text. Redis prints numbers slowly, and more digits than wanted.
	return { P = P, t = t, s = string.format('%.0f', t), told = {}, counts = {}, ended = {},
		blocks = {}, rung = 0, rung_all = false, rung_for = {}, announced = {} }
end

-- The class of a task (task_class.h) is called needs here. This is the module of a class without
-- needs; nil: another class.
local function module_of(needs)
	return string.match(needs, '^module:(%S+)$')
end

local function has_module(P, member, module)
	local has = call('HGET', P .. 'h:' .. member, 'has') or ''
	return string.find('\n' .. has .. '\n', '\nmodule ' .. module .. '\n', 1, true)
end

-- Tasks wait: any idle member can run them; a member that has the module; or the members alone know
-- (rung_all).
local function ring(l, needs, n)
	local module = needs ~= '' and module_of(needs)
	if module then
		l.rung_for[module] = (l.rung_for[module] or 0) + n
	else
		l.rung = l.rung + n
		l.rung_all = l.rung_all or needs ~= ''
	end
end

-- Tasks of the class wait: members hear of a class that is new to the queue, and ask for it from then
-- on, if they can run its tasks.
local function announce(l, needs)
	if needs ~= '' and not l.announced[needs] then
		l.announced[needs] = true
		l.is_new = call('SADD', l.P .. 'needs', needs) == 1 or l.is_new
	end
end

-- A command with as many words as Lua can pass, again and again.
local function call_many(command, key, words)
	for from = 1, #words, 2000 do
		call(command, key, unpack(words, from, math.min(from + 1999, #words)))
	end
end

local function count(l, state, n)
	l.counts[state] = (l.counts[state] or 0) + n
end

local blocks_write

local function close(l)
	blocks_write(l)
	call_many('ZADD', l.P .. 'ended', l.ended)
	for token, records in pairs(l.told) do
		call('PUBLISH', l.P .. 'n:' .. token, table.concat(records))
	end
	for state, n in pairs(l.counts) do
		call('HINCRBY', l.P .. 'counts', state, text_of(n))
	end
	for _, member in ipairs(l.is_new and call('ZRANGE', l.P .. 'lease', 0, -1) or {}) do
		call('PUBLISH', l.P .. 'bell:' .. member, 'x') -- classes come with a renewal
	end
	local idle = l.P .. 'idle'
	for module, n in pairs(l.rung_for) do
		for _, member in ipairs(call('HKEYS', idle)) do
			if n > 0 and has_module(l.P, member, module) then
				call('PUBLISH', l.P .. 'bell:' .. member, 'w')
				call('HDEL', idle, member)
				n = n - 1
			end
		end
	end
	if l.rung > 0 then
		local members = l.rung_all and call('HKEYS', idle) or call('HRANDFIELD', idle, l.rung)
		for _, member in ipairs(members) do
			call('PUBLISH', l.P .. 'bell:' .. member, 'w')
		end
		call_many('HDEL', idle, members)
	end
end

-- turn: of a task that was moved to the front (tn), nil: its id, the order of submission.
local function enqueue(l, id, priority, needs, turn)
	needs = needs or ''
	call('ZADD', l.P .. 'q:' .. needs, score(tonumber(priority or 0), tonumber(turn or id)), id)
	announce(l, needs)
	ring(l, needs, 1)
end

-- Nothing keeps the task from its place in the queue any more, unless a person does (pk).
local function let_start(l, id, parked, priority, needs, turn)
	call('HSET', l.P .. 't:' .. id, 'st', parked and 'parked' or 'ready')
	if parked then
		call('ZADD', l.P .. 'parked', id, id)
	else
		enqueue(l, id, priority, needs, turn)
	end
end

-- The state for people: a parked task that was cancelled is cancelled.
local function shown_state(state, parked)
	return parked and not is_settled(state) and 'parked' or state
end

-- A task that does not run is in none of these any more.
local function take_off(P, id, needs)
	call('ZREM', P .. 'waiting', id)
	call('ZREM', P .. 'later', id)
	call('ZREM', P .. 'parked', id)
	call('ZREM', P .. 'q:' .. (needs or ''), id)
end

-- ---- blocks ----
--
-- Tasks that are added together and ask for the same form a block: the tasks first .. first + n - 1
-- cost a few commands of Redis instead of a dozen each. A task leaves its block (take_out) when
-- something unusual befalls the task: it fails, is cancelled, moved, or taken over, or another task
-- waits for it. From then on t:ID is the truth, and before then the block is.
--
-- Fields of b:FIRST: n; at: tasks that were claimed at least once; left: tasks in the block that
-- have not ended; kept: tasks in the block; o: a waiting task was taken out; m: a code of two
-- bytes for each task, 0 (not ended), OUT, or i + 1 (done, the result is in ri); k: how many ri
-- there are; cFROM: a claim, "TO REST BEGAN OWNER"; ri: "ENDED BEGAN OWNER\n" and the bytes of the
-- commit; the others as in t:ID. p:FIRST: where the words of each task begin, then the words.

local OUT, MARK = 65535, 256
local BLOCK = { 'n', 'at', 'left', 'kept', 'k', 'm', 'pr', 'ne', 're', 'cr', 'bo', 'bm', 'lb', 'ti',
	'wt', 'wa', 'su' }
local BLOCK_NUMBERS = 5

-- The block of this first id, or nil. Changes stay here until blocks_write().
local function block_of(l, first)
	local b = l.blocks[first]
	if b then
		return b
	end
	local key = l.P .. 'b:' .. first
	local f = call('HMGET', key, unpack(BLOCK))
	if not f[1] then
		return nil
	end
	b = { key = key, name = first, first = tonumber(first), claims = {}, put = {}, gone = {} }
	for i, name in ipairs(BLOCK) do
		b[name] = f[i] or nil
		if i <= BLOCK_NUMBERS then
			b[name] = tonumber(f[i] or 0)
		end
	end
	b.open = b.left > 0
	if b.m then
		b.m = { string.byte(b.m, 1, 2 * b.n) }
	else
		b.m = {}
		for i = 1, 2 * b.n do
			b.m[i] = 0
		end
	end
	l.blocks[first] = b
	return b
end

local function block_put(b, name, value)
	local n = #b.put
	b.put[n + 1], b.put[n + 2] = name, value
	b.dirty = true
end

local function code_of(b, i)
	return b.m[2 * i + 1] + MARK * b.m[2 * i + 2]
end

local function set_code(b, i, code)
	b.m[2 * i + 1], b.m[2 * i + 2] = code % MARK, math.floor(code / MARK)
	b.dirty = true
end

-- A claim of the block: the tasks from .. to - 1, of which `rest` have neither ended nor left.
local function claim_of(b, from)
	local c = b.claims[from]
	if c == nil then
		local text = call('HGET', b.key, 'c' .. from)
		c = false
		if text then
			local to, rest, began, owner = string.match(text, '^(%d+) (%d+) (%d+) (.*)$')
			c = { from = tonumber(from), to = tonumber(to), rest = tonumber(rest), began = began,
				owner = owner }
		end
		b.claims[from] = c
	end
	return c
end

local function claim_with(b, i)
	for _, name in ipairs(call('HKEYS', b.key)) do
		local from = string.match(name, '^c(%d+)$')
		local c = from and claim_of(b, from)
		if c and i >= c.from and i < c.to then
			return c
		end
	end
end

local function claim_shrink(b, c, n)
	c.rest = c.rest - n
	c.changed = true
	b.dirty = true
end

local function block_drop(l, b)
	local P, needs = l.P, b.ne or ''
	if call('ZREM', P .. 'q:' .. needs, 'b' .. b.name) == 1 then
		call('ZREM', P .. 'k:' .. needs, b.name)
		call('HINCRBY', P .. 'extra', needs, 1)
	end
	call('ZREM', P .. 'ended', 'b' .. b.name)
	call('ZREM', P .. 'blocks', b.name)
	call('DEL', b.key, P .. 'p:' .. b.name, P .. 'w:b' .. b.name)
end

local function claims_write(l, b)
	for from, c in pairs(b.claims) do
		if c and c.changed and c.rest > 0 then
			block_put(b, 'c' .. from, c.to .. ' ' .. c.rest .. ' ' .. c.began .. ' ' .. c.owner)
		elseif c and c.changed then
			b.gone[#b.gone + 1] = 'c' .. from
			call('SREM', l.P .. 'c:' .. c.owner, b.name .. '.' .. from)
		end
	end
end

blocks_write = function(l)
	for _, b in pairs(l.blocks) do
		if b.dirty then
			claims_write(l, b)
			if b.kept == 0 then
				block_drop(l, b)
			else
				call('HSET', b.key, 'm', string.char(unpack(b.m)), 'left', b.left, 'kept', b.kept,
					'k', b.k, unpack(b.put))
				if #b.gone > 0 then
					call('HDEL', b.key, unpack(b.gone))
				end
				if b.open and b.left == 0 then
					call('DEL', l.P .. 'p:' .. b.name)
					call('ZADD', l.P .. 'ended', l.s, 'b' .. b.name)
				end
			end
		end
	end
	l.blocks = {}
end

-- The words of the tasks from .. to - 1: where each begins, and the bytes.
local function words_of(l, first, from, to)
	local key = l.P .. 'p:' .. first
	local places = call('GETRANGE', key, 4 * from, 4 * to + 3)
	local begin, stop = struct.unpack('<I4', places), struct.unpack('<I4', places, #places - 3)
	return places, stop > begin and call('GETRANGE', key, begin, stop - 1) or ''
end

-- One title for all tasks, or a title for each with a byte of length before it.
local function title_of(b, i)
	local titles = b.ti
	if not titles or string.byte(titles) ~= 0 then
		return titles
	end
	local at = 2
	for _ = 1, i do
		at = at + 1 + string.byte(titles, at)
	end
	return string.sub(titles, at + 1, at + string.byte(titles, at))
end

-- A commit is: how many tasks, the index of each, then, if some have more than an end: the
-- microseconds of each, where the value of each ends, and the values. Numbers have 2, 2, 4 and 4
-- bytes.
local function result_of(b, i)
	local stored = call('HGET', b.key, 'r' .. code_of(b, i) - 1)
	local cut = string.find(stored, '\n', 1, true)
	local ended, began, owner = string.match(string.sub(stored, 1, cut - 1), '^(%d+) (%d+) (.*)$')
	local r = { ended = ended, began = began, owner = owner, wall = 0, value = '' }
	local piece = string.sub(stored, cut + 1)
	if piece == '' then
		return r
	end
	local n = struct.unpack('<I2', piece)
	for j = 0, n - 1 do
		if struct.unpack('<I2', piece, 3 + 2 * j) == i then
			local ends, values = 3 + 6 * n, 3 + 10 * n
			local begin = j > 0 and struct.unpack('<I4', piece, ends + 4 * (j - 1)) or 0
			r.wall = struct.unpack('<I4', piece, 3 + 2 * n + 4 * j)
			local stop = struct.unpack('<I4', piece, ends + 4 * j)
			r.value = string.sub(piece, values + begin, values + stop - 1)
		end
	end
	return r
end

-- The block and the index of a task that lies in a block.
local function inside(l, id)
	local number, b = tonumber(id), l.last
	if not b or number < b.first or number >= b.first + b.n or l.blocks[b.name] ~= b then
		local first = call('ZREVRANGEBYSCORE', l.P .. 'blocks', id, '-inf', 'LIMIT', 0, 1)[1]
		b = first and block_of(l, first)
		l.last = b
	end
	if b and number < b.first + b.n and code_of(b, number - b.first) ~= OUT then
		return b, number - b.first
	end
end

local function state_in(b, i)
	return code_of(b, i) > 0 and 'done' or i < b.at and 'running' or 'ready'
end

-- Makes the task of a block a task of its own.
local function take_out(l, b, i)
	local P, id, code, needs = l.P, text_of(b.first + i), code_of(b, i), b.ne or ''
	local f = { 'su', b.su }
	local function add(name, value)
		if value then
			f[#f + 1] = name
			f[#f + 1] = value
		end
	end
	for _, name in ipairs({ 'pr', 'ne', 're', 'cr', 'bo', 'bm', 'lb', 'wt' }) do
		add(name, b[name])
	end
	add('ro', b.re)
	add('co', b.cr)
	add('ti', title_of(b, i))
	if b.wa then
		call('SUNIONSTORE', P .. 'w:' .. id, P .. 'w:b' .. b.name)
		add('wa', 1)
		add('x', 1)
	end
	if code > 0 then
		local r = result_of(b, i)
		add('st', 'done')
		add('ow', r.owner)
		add('at', 1)
		add('be', r.began)
		add('en', r.ended)
		add('wall', r.wall > 0 and r.wall)
		add('val', r.value ~= '' and r.value)
		call('ZADD', P .. 'ended', r.ended, id)
	else
		local _, words = words_of(l, b.name, i, i + 1)
		b.left = b.left - 1
		add('pl', words)
		if i < b.at then
			local c = claim_with(b, i)
			claim_shrink(b, c, 1)
			add('st', 'running')
			add('ow', c.owner)
			add('at', 1)
			add('be', c.began)
			call('SADD', P .. 'c:' .. c.owner, id)
		else
			add('st', 'ready')
			block_put(b, 'o', 1)
			-- The place of the block, where a digit comes before a letter: the task does not lose its turn.
			call('ZADD', P .. 'q:' .. needs, score(tonumber(b.pr or 0), b.first), id)
			call('HINCRBY', P .. 'extra', needs, -1)
		end
	end
	call('HSET', P .. 't:' .. id, unpack(f))
	set_code(b, i, OUT)
	b.kept = b.kept - 1
end

-- From here on the task, if there is one, is in t:ID.
local function own(l, id)
	if call('EXISTS', l.P .. 't:' .. id) == 0 then
		local b, i = inside(l, id)
		if b then
			take_out(l, b, i)
		end
	end
end

-- The tasks that a member has claimed. A claim of a block is named FIRST.FROM.
local function claimed_by(l, member, each_of_block)
	local ids = {}
	for _, name in ipairs(call('SMEMBERS', l.P .. 'c:' .. member)) do
		local first, from = string.match(name, '^(%d+)%.(%d+)$')
		local b = first and block_of(l, first)
		local c = b and claim_of(b, from)
		if not first then
			ids[#ids + 1] = name
		elseif c then
			for i = c.from, c.to - 1 do
				if code_of(b, i) == 0 then
					ids[#ids + 1] = text_of(b.first + i)
					if each_of_block then
						each_of_block(l, b, i)
					end
				end
			end
		end
	end
	return ids
end

local function claims_count(P, member)
	local n = 0
	for _, name in ipairs(call('SMEMBERS', P .. 'c:' .. member)) do
		local first, from = string.match(name, '^(%d+)%.(%d+)$')
		local text = first and call('HGET', P .. 'b:' .. first, 'c' .. from)
		n = n + (text and tonumber(string.match(text, '^%d+ (%d+)')) or first and 0 or 1)
	end
	return n
end

-- Takes up to `most` waiting tasks of a block for the member. Returns how many; they are appended
-- to the reply as: b, first, from, how many, places, words.
local function block_claim(l, member, first, needs, most, reply)
	local key = l.P .. 'b:' .. first
	local f = call('HMGET', key, 'n', 'at', 'o')
	local n, at = tonumber(f[1]), tonumber(f[2])
	local to = math.min(n, at + most)
	if f[3] then
		local b = block_of(l, first)
		while at < n and code_of(b, at) == OUT do
			at = at + 1
		end
		to = at
		while to < n and to - at < most and code_of(b, to) ~= OUT do
			to = to + 1
		end
		l.blocks[first] = nil
	end
	local from, taken = text_of(at), to - at
	if taken > 0 then
		local k, places, words = #reply, words_of(l, first, at, to)
		call('HSET', key, 'at', to, 'c' .. from, to .. ' ' .. taken .. ' ' .. l.s .. ' ' .. member)
		reply[k + 1], reply[k + 2], reply[k + 3] = 'b', first, from
		reply[k + 4], reply[k + 5], reply[k + 6] = taken, places, words
		l.claims[#l.claims + 1] = first .. '.' .. from
	end
	if to == n then
		call('ZREM', l.P .. 'q:' .. needs, 'b' .. first)
		call('ZREM', l.P .. 'k:' .. needs, first)
	end
	call('HINCRBY', l.P .. 'extra', needs, to == n and 1 - taken or -taken)
	return taken, to == n
end

local let_go

local function remove(P, id)
	local f = call('HMGET', P .. 't:' .. id, 'un', 'fb', 'fr', 'ag', 'dp')
	if f[1] and call('HGET', P .. 'u', f[1]) == id then
		call('HDEL', P .. 'u', f[1])
	end
	if f[2] and call('HEXISTS', P .. 'boots', f[2]) == 1 then -- large values may go
		for ref in string.gmatch(f[3], '%S+') do
			call('SADD', P .. 'drop:' .. f[2], ref)
		end
	end
	if f[4] and f[5] then
		let_go(P, f[5])
	end
	call('ZREM', P .. 'ended', id)
	call('DEL', P .. 't:' .. id, P .. 'w:' .. id, P .. 'd:' .. id)
end

-- The task no longer needs the values of the tasks that it waited for.
let_go = function(P, deps)
	for _, dep in ipairs(ids_of(deps)) do
		local key = P .. 't:' .. dep
		if call('EXISTS', key) == 1 and call('HINCRBY', key, 'us', -1) <= 0 and
		    call('HGET', key, 'fo') then
			remove(P, dep)
		end
	end
end

-- What is read of a task whose attempt ends, and where it stands in the answer. A field that was
-- never written is 0 or ''. Most tasks lack the field x: nobody waits for such a task but its
-- submitter, and it has neither limits nor tasks to wait for, so a look at a few fields is enough.
local READ = { 'ow', 'at', 'st', 're', 'cr', 'cx', 'pr', 'ne', 'bo', 'bm', 'ro', 'wt', 'wa', 'dn', 'dp',
	'du', 'kp', 'tn' }
local OW, AT, ST, RE, CR, CX, PR, NE, BO, BM, RO, WT, WA, DN, DP, DU, KP, TN = 1, 2, 3, 4, 5, 6, 7, 8, 9,
	10, 11, 12, 13, 14, 15, 16, 17, 18

local BRIEF = { 'ow', 'at', 'st', 'wt', 'x', 'cx' }
local BRIEF_WT, BRIEF_X, BRIEF_CX = 4, 5, 6

local function read(P, id)
	return call('HMGET', P .. 't:' .. id, unpack(READ))
end

-- A message is a row of records, each a letter, a number and perhaps bytes: `eID;` a task has
-- ended, `vID,BYTES;` is done with this value, `gN,BYTES;` tasks of block N are done (BYTES: as
-- committed), `iN,BYTES;` likewise, without the values.
local function tell(l, token, record)
	local records = l.told[token]
	if not records then
		records = {}
		l.told[token] = records
	end
	records[#records + 1] = record
end

-- The moment from which the time to keep counts: an earlier or later one for a task that asked for
-- another time than the queue (--keep).
local function kept_from(l, keep)
	if not keep then
		return l.s
	end
	return string.format('%.0f', l.t + keep - call('HGET', l.P .. 'meta', 'keep_ms'))
end

local settle

-- A task has ended: those that wait for it go on, or end with the reason.
local function tell_dependents(l, id, state, why, code)
	local key = l.P .. 'd:' .. id
	for _, other in ipairs(call('SMEMBERS', key)) do
		local task = l.P .. 't:' .. other
		local f = call('HMGET', task, 'st', 'pr', 'ne', 'dp', 'ae', 'pk', 'tn')
		local how = string.match(' ' .. (f[4] or '') .. ' ', ' ' .. id .. '(%a?) ') or ''
		if f[1] == 'waiting' and not is_met(how, state) then
			call('ZREM', l.P .. 'waiting', other)
			settle(l, other, unmet(id, how, state, ': ' .. why))
		elseif f[1] == 'waiting' then
			if how ~= '' then
				call('HSET', task, 'ae', (f[5] or '') .. end_text(id, state, code))
			end
			if call('HINCRBY', task, 'mi', -1) == 0 then
				call('ZREM', l.P .. 'waiting', other)
				let_start(l, other, f[6], f[2], f[3], f[7])
			end
		end
	end
	call('DEL', key)
end

-- fields: a list of names and values to be written with the outcome. again: the task may have to run
-- again, and keeps its words and the values of others for that.
settle = function(l, id, state, fields, f, again)
	local P, task = l.P, l.P .. 't:' .. id
	local n = #fields
	f = f or read(P, id)
	fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 'st', state, 'en', l.s
	if again then
		fields[n + 5], fields[n + 6] = 'ag', '1'
	elseif state == 'done' then
		fields[n + 5], fields[n + 6] = 'pl', '' -- a failed task keeps its words for a retry
	end
	call('HSET', task, unpack(fields))
	l.ended[#l.ended + 1] = kept_from(l, f[KP])
	l.ended[#l.ended + 1] = id
	count(l, state, 1)
	if f[WT] or f[WA] then
		local record, value, plain = 'e' .. id .. ';', '', true
		for i = 1, n, 2 do
			value = fields[i] == 'val' and fields[i + 1] or value
			plain = plain and fields[i] ~= 'err' and fields[i] ~= 'fb'
		end
		if state == 'done' and plain and #value <= CARRIED then
			record = 'v' .. id .. ',' .. #value .. ';' .. value
		end
		if f[WT] then
			tell(l, f[WT], record)
		end
		for _, token in ipairs(f[WA] and call('SMEMBERS', P .. 'w:' .. id) or {}) do
			tell(l, token, record)
		end
		if f[WA] then
			call('DEL', P .. 'w:' .. id)
		end
	end
	if f[DU] then
		call('ZREM', P .. 'due', id)
	end
	if f[DN] then
		local why, code = '', '0'
		for i = 1, n, 2 do
			why = fields[i] == 'msg' and fields[i + 1] or why
			code = fields[i] == 'code' and fields[i + 1] or code
		end
		tell_dependents(l, id, state, why, code)
	end
	if f[DP] and not again then
		let_go(P, f[DP])
	end
end

local function pause_of(f)
	local first, most = tonumber(f[BO] or 0), tonumber(f[BM] or 60000)
	local pause = first
	for _ = 1, tonumber(f[RO] or 0) - tonumber(f[RE] or 0) do
		pause = math.min(pause * 2, most)
	end
	pause = math.min(pause, most)
	return pause + math.floor(pause / 4 * math.random())
end

-- An attempt has ended without a value. f: read(). kind: f (the function failed), x (worker or host
-- died), c (cancelled), b (never began, or was sent back).
local function end_attempt(l, id, f, kind, fields)
	local task = l.P .. 't:' .. id
	local retries, crashes = tonumber(f[RE] or 0), tonumber(f[CR] or 0)
	if f[CX] == 't' then
		settle(l, id, 'failed', { 'code', '110', 'msg',
			'--total-limit: the task was not done in time' }, f)
	elseif f[CX] == 'c' or (kind == 'c' and f[CX] ~= 'r') then
		settle(l, id, 'cancelled', {}, f)
	elseif kind == 'b' or f[CX] == 'r' then
		call('HDEL', task, 'cx')
		call('HSET', task, 'st', 'ready', 'ow', '')
		enqueue(l, id, f[PR], f[NE], f[TN])
	elseif kind == 'x' and crashes > 0 then
		call('HSET', task, 'st', 'ready', 'ow', '', 'cr', crashes - 1)
		enqueue(l, id, f[PR], f[NE], f[TN])
	elseif kind == 'f' and retries > 0 then
		call('HSET', task, 'st', 'pause', 'ow', '', 're', retries - 1, unpack(fields))
		call('ZADD', l.P .. 'later', l.t + pause_of(f), id)
	else
		settle(l, id, 'failed', fields, f)
	end
end

-- The large values of a member's runtime are out of reach now, unless another member has taken over
-- the same runtime.
local function close_store(P, member)
	local boot = call('HGET', P .. 'h:' .. member, 'boot')
	if boot and call('HGET', P .. 'boots', boot) == member then
		call('HDEL', P .. 'boots', boot)
		call('EXPIRE', P .. 'drop:' .. boot, DAY)
	end
end

-- A large value was in the runtime `boot` and is lost: its task runs again, if it may. True: it will
-- have a value again, or has one already.
local function remake(l, id, boot)
	local P, task = l.P, l.P .. 't:' .. id
	local f = call('HMGET', task, 'st', 'fb', 'ag', 'cr', 'pr', 'ne')
	if f[1] ~= 'done' or f[2] ~= boot then
		return f[1] and f[1] ~= 'failed' and f[1] ~= 'cancelled'
	end
	if not f[3] then
		return false
	end
	for _, field in ipairs(call('HKEYS', task)) do
		if string.find(field, '^[vf]%d+$') then
			call('HDEL', task, field)
		end
	end
	call('HDEL', task, 'fb', 'fr', 'ag', 'val', 'err', 'en')
	call('HSET', task, 'st', 'ready', 'ow', '', 'x', 1, 'cr', tonumber(f[4]) - 1)
	call('ZREM', P .. 'ended', id)
	l.counts.done = (l.counts.done or 0) - 1
	enqueue(l, id, f[5], f[6])
	return true
end

-- An attempt could not begin, since a large value that the task takes is lost. lost: the task that
-- made it, its reference, length, hash, and the name of the host. The task waits for that one again, or
-- fails.
local function end_lacking(l, id, f, lost)
	local P, task = l.P, l.P .. 't:' .. id
	local dep, boot, host = string.match(lost, '^(%d+) %S+%.(%x+) %d+ %x+ (.+)$')
	local again = remake(l, dep, boot)
	if f[CX] or (again and call('HGET', P .. 't:' .. dep, 'st') == 'done') then
		end_attempt(l, id, f, 'b', {})
	elseif again then
		call('HSET', task, 'st', 'waiting', 'ow', '', 'mi', 1, 'x', 1)
		call('ZADD', P .. 'waiting', id, id)
		call('SADD', P .. 'd:' .. dep, id)
		call('HSET', P .. 't:' .. dep, 'dn', 1, 'x', 1)
	else
		settle(l, id, 'failed', { 'code', '61', 'msg', 'the value of task ' .. dep .. ' was on host ' ..
			host .. ' and is lost, and --crash-retries do not allow to make it again' }, f)
	end
end

-- Members without a sign of life lose all their tasks, in this one step.
local function take_over(l)
	local P = l.P
	-- A lease that ends later than any new one: the clock of the engine was put back.
	local lease = tonumber(call('HGET', P .. 'meta', 'lease_ms'))
	for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'lease', '(' .. l.t + lease, '+inf', 'LIMIT', 0,
		TAKEN)) do
		call('ZADD', P .. 'lease', l.t + lease, member)
	end
	for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'lease', '-inf', l.t, 'LIMIT', 0, TAKEN)) do
		local name = call('HGET', P .. 'h:' .. member, 'name') or member
		for _, id in ipairs(claimed_by(l, member, take_out)) do
			local f = read(P, id)
			if f[OW] == member and f[ST] == 'running' then
				end_attempt(l, id, f, 'x', { 'code', '130', 'msg', 'host ' .. name ..
					' gave no sign of life while the task was there' })
			end
		end
		call('DEL', P .. 'c:' .. member, P .. 'x:' .. member)
		call('ZREM', P .. 'lease', member)
		call('HDEL', P .. 'idle', member)
		close_store(P, member)
		call('HSET', P .. 'h:' .. member, 'state', 'lost')
		call('ZADD', P .. 'gone', l.t, member)
	end
end

local function forget_old(l)
	local P = l.P
	local keep = tonumber(call('HGET', P .. 'meta', 'keep_ms'))
	for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'ended', '-inf', l.t - keep, 'LIMIT', 0, SWEEP)) do
		local first = string.match(id, '^b(%d+)$')
		local f = not first and call('HMGET', P .. 't:' .. id, 'us', 'st')
		if first then
			local b = block_of(l, first)
			count(l, 'done', -b.kept)
			b.kept, b.dirty = 0, true
		elseif tonumber(f[1] or 0) > 0 then
			count(l, f[2], -1)
			call('HSET', P .. 't:' .. id, 'fo', 1)
			call('ZREM', P .. 'ended', id)
		else
			count(l, f[2], -1)
			remove(P, id)
		end
	end
	for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'gone', '-inf', l.t - DAY * 1000)) do
		call('DEL', P .. 'h:' .. member)
		call('ZREM', P .. 'gone', member)
	end
end

local function overdue(l, id)
	local P = l.P
	local f = call('HMGET', P .. 't:' .. id, 'st', 'ow', 'ne', 'tl')
	if f[1] == 'running' then
		call('HSET', P .. 't:' .. id, 'cx', 't')
		call('SADD', P .. 'x:' .. f[2], id)
		call('PUBLISH', P .. 'bell:' .. f[2], 'x')
		return
	end
	take_off(P, id, f[3])
	local total = f[4] and tonumber(f[4]) <= l.t
	settle(l, id, 'failed', { 'code', '110', 'msg', total and
		'--total-limit: the task was not done in time' or
		'--queue-limit: the task had not started in time' })
end

-- When claims swept a queue. Forgotten with the process, which costs a sweep.
local swept = {}

-- Pauses that are over, limits that are reached, members that are lost.
local function sweep(l)
	local P = l.P
	for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'later', '-inf', l.t, 'LIMIT', 0, SWEEP)) do
		local f = call('HMGET', P .. 't:' .. id, 'pr', 'ne', 'pk', 'tn')
		call('ZREM', P .. 'later', id)
		let_start(l, id, f[3], f[1], f[2], f[4])
	end
	for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'due', '-inf', l.t, 'LIMIT', 0, SWEEP)) do
		call('ZREM', P .. 'due', id)
		overdue(l, id)
	end
	take_over(l)
end

-- A claim or a renewal may have waited in a stopped engine until the lease was over. Its host has
-- fenced itself meanwhile, so neither may bring the member back. Asked after sweep(), which may have
-- taken the member's tasks away.
local function lives(l, member)
	local ends = call('ZSCORE', l.P .. 'lease', member)
	return ends and tonumber(ends) > l.t
end

-- Milliseconds until a pause or a limit ends; -1: none.
local function next_moment(P, t)
	local best = -1
	for _, key in ipairs({ 'later', 'due' }) do
		local first = call('ZRANGE', P .. key, 0, 0, 'WITHSCORES')
		if first[2] then
			local ms = math.max(0, tonumber(first[2]) - t)
			best = (best < 0 or ms < best) and ms or best
		end
	end
	return best
end

-- ---- the verbs ----

-- EPOCH LEASE_MS KEEP_MS SECRET: the queue, made if it is not there. Returns epoch, lease, time to
-- keep, and the secret that opens the doors of hosts.
local function open(keys, args)
	local P = keys[1]
	local kind = call('TYPE', P .. 'meta').ok
	if kind == 'none' then
		call('HSET', P .. 'meta', 'format', FORMAT, 'epoch', args[1], 'lease_ms', args[2],
			'keep_ms', args[3], 'next', 0)
	elseif kind ~= 'hash' or not call('HGET', P .. 'meta', 'format') then
		return redis.error_reply('PLMFOREIGN ' .. P .. 'meta')
	end
	if kind == 'none' then
		call('HSET', P .. 'meta', 'secret', args[4])
	end
	local meta = call('HMGET', P .. 'meta', 'format', 'epoch', 'lease_ms', 'keep_ms', 'secret')
	if meta[1] ~= FORMAT then
		return redis.error_reply('PLMFORMAT ' .. tostring(meta[1]))
	end
	for key, wanted in pairs({ lease = 'zset', blocks = 'zset', extra = 'hash',
		ended = 'zset', idle = 'hash', u = 'hash',
		['q:'] = 'zset', later = 'zset', due = 'zset', counts = 'hash', waiting = 'zset',
		parked = 'zset' }) do
		local found = call('TYPE', P .. key).ok
		if found ~= 'none' and found ~= wanted then
			return redis.error_reply('PLMFOREIGN ' .. P .. key)
		end
	end
	return { meta[2], tonumber(meta[3]), tonumber(meta[4]), meta[5] or '' }
end

-- What the fields of a task in `add` are, in order.
local ADDED = { 'pl', 'pr', 'ne', 're', 'cr', 'ql', 'tl', 'bo', 'bm', 'lb', 'ti', 'un', 'dp', 'kp' }
local PL_AT, PR_AT, NE_AT, RE_AT, CR_AT, QL_AT, TL_AT, UN_AT, DP_AT, KP_AT = 1, 2, 3, 4, 5, 6, 7, 12,
	13, 14

local PREVIOUS = '0' -- in place of an id: the task before in the same call

local function known(P, identity)
	local id = identity ~= '' and call('HGET', P .. 'u', identity)
	local state = id and call('HGET', P .. 't:' .. id, 'st')
	return state and state ~= 'failed' and state ~= 'cancelled' and id
end

-- Limits of time begin: until the first start, and until the end. put() writes a field of the task.
local function limit(l, id, queue_ms, total_ms, put)
	local due
	if queue_ms ~= '' then
		put('qm', queue_ms)
		due = l.t + tonumber(queue_ms)
	end
	if total_ms ~= '' then
		local total = l.t + tonumber(total_ms)
		put('tm', total_ms)
		put('tl', total)
		due = due and math.min(due, total) or total
	end
	if due then
		put('du', 1)
		put('x', 1)
		call('ZADD', l.P .. 'due', due, id)
	end
end

-- The tasks that a new task waits for. Returns how many have not ended, those that have ended
-- (end_text()), and, if it cannot run, its state and fields.
local function depend(P, id, deps)
	local missing, ends, state, fields = 0, '', nil, nil
	for _, dep in ipairs(deps_of(deps)) do
		local task = P .. 't:' .. dep.id
		local f = call('HMGET', task, 'st', 'code')
		call('HINCRBY', task, 'us', 1)
		if not is_settled(f[1]) then
			call('SADD', P .. 'd:' .. dep.id, id)
			call('HSET', task, 'dn', 1, 'x', 1)
			missing = missing + 1
		elseif not is_met(dep.how, f[1]) then
			state, fields = unmet(dep.id, dep.how, f[1], ' before')
		elseif dep.how ~= '' then
			ends = ends .. end_text(dep.id, f[1], f[2] or '0')
		end
	end
	return missing, ends, state, fields
end

-- Gives a new task without needs to an idle member that has the module, unasked: the words go with
-- the bell, which saves the round trip of a claim. Only when nothing else waits, so that priorities
-- hold. Returns the member, nil: none. The messages to a member are numbered. A member that has
-- missed one finds the task among its claims, and gives it back; from then on the member ignores
-- numbers up to that of the look (mine()).
local function push(l, id, words, needs, module)
	local P, member, free = l.P, nil, 0
	l.pushed = (l.pushed or 0) + 1
	local idle = l.pushed <= PUSHED and call('HRANDFIELD', P .. 'idle', '4', 'WITHVALUES') or {}
	for i = 1, #idle, 2 do
		if tonumber(idle[i + 1]) > free and (not module or has_module(P, idle[i], module)) then
			member, free = idle[i], tonumber(idle[i + 1])
		end
	end
	if not member or call('EXISTS', P .. 'q:', P .. 'q:' .. needs) > 0 or
	    tonumber(call('ZSCORE', P .. 'lease', member) or 0) <= l.t then
		return nil
	end
	local number = call('HINCRBY', P .. 'h:' .. member, 'pushed', '1')
	if call('PUBLISH', P .. 'bell:' .. member, 'p' .. number .. ' ' .. id .. ';' .. words) == 0 then
		call('HDEL', P .. 'idle', member)
		return nil
	end
	if call('HINCRBY', P .. 'idle', member, '-1') == 0 then
		call('HDEL', P .. 'idle', member)
	end
	call('SADD', P .. 'c:' .. member, id)
	return member
end

-- Fields that have their usual value are not written: most tasks have four.
local function add_one(l, id, args, at, token)
	local P, f = l.P, { 'pl', args[at + PL_AT], 'su', l.s, 'st', 'ready' }
	local n = 6
	local function put(name, value)
		f[n + 1], f[n + 2] = name, value
		n = n + 2
	end
	for j = 2, #ADDED do
		local name, value = ADDED[j], args[at + j]
		if value ~= '' and value ~= '0' and name ~= 'ql' and name ~= 'tl' then
			put(name, value)
		end
	end
	if args[at + RE_AT] ~= '0' then
		put('ro', args[at + RE_AT])
	end
	if args[at + CR_AT] ~= '0' then
		put('co', args[at + CR_AT])
	end
	if token ~= '' then
		put('wt', token)
	end
	if args[at + KP_AT] ~= '0' then
		put('x', 1)
	end
	limit(l, id, args[at + QL_AT], args[at + TL_AT], put)
	local missing, ends, member, state, fields = 0, '', nil, nil, nil
	local needs = args[at + NE_AT]
	local module = needs ~= '' and module_of(needs)
	if args[at + DP_AT] ~= '' then
		missing, ends, state, fields = depend(P, id, args[at + DP_AT])
		put('mi', missing)
		if ends ~= '' then
			put('ae', ends)
		end
		put('x', 1)
	elseif (needs == '' or module) and args[at + KP_AT] == '0' and args[at + QL_AT] == '' and
	    args[at + TL_AT] == '' then
		member = push(l, text_of(id), args[at + PL_AT], needs, module)
	end
	if missing > 0 then
		f[6] = 'waiting'
	elseif member then
		f[6] = 'running'
		put('ow', member)
		put('at', '1')
		put('be', l.s)
	end
	call('HSET', P .. 't:' .. id, unpack(f))
	if state then
		settle(l, id, state, fields)
	elseif missing > 0 then
		call('ZADD', P .. 'waiting', id, id)
	elseif not member then
		return score(tonumber(args[at + PR_AT]), id)
	end
end

-- A block of n tasks, whose words and titles came together. Returns the first id.
local function add_block(l, id, args, at, n, token)
	local P, needs = l.P, args[at + NE_AT]
	local f, first = { 'n', n, 'at', 0, 'left', n, 'kept', n, 'k', 0, 'su', l.s }, text_of(id)
	for j = 2, #ADDED do
		local value = args[at + j]
		if value ~= '' and value ~= '0' then
			f[#f + 1], f[#f + 2] = ADDED[j], value
		end
	end
	if token ~= '' then
		f[#f + 1], f[#f + 2] = 'wt', token
	end
	local place = score(tonumber(args[at + PR_AT]), id)
	call('HSET', P .. 'b:' .. first, unpack(f))
	call('SET', P .. 'p:' .. first, args[at + PL_AT])
	call('ZADD', P .. 'blocks', first, first)
	call('ZADD', P .. 'q:' .. needs, place, 'b' .. first)
	call('ZADD', P .. 'k:' .. needs, place, first)
	call('HINCRBY', P .. 'extra', needs, n - 1)
	announce(l, needs)
	ring(l, needs, n)
end

-- Tasks that are gone cannot be waited for. Tasks in blocks leave them, to know who waits.
local function check_deps(l, args, width)
	for at = 4, #args, width do
		local deps = args[at + DP_AT]
		for _, dep in ipairs(deps ~= '' and ids_of(deps) or {}) do
			own(l, dep)
			local there = dep == PREVIOUS and at > 4 or call('EXISTS', l.P .. 't:' .. dep) == 1
			if not there then
				return redis.error_reply('PLMDEP ' .. dep)
			end
		end
	end
end

-- EPOCH UNIQUE TOKEN, then for each item how many tasks it holds and the fields: of one task, or,
-- when there are more, of a block (its words and titles: see above). Returns an id for each item,
-- the first of a block; of a task that was there already (UNIQUE) the negative id, and so for a task
-- that waits for it as the task before.
local function add(P, args)
	local width, wanted = #ADDED + 1, 0
	local l, ids, ready, named = ledger(P, now()), {}, {}, {}
	local wrong = check_deps(l, args, width)
	if wrong then
		blocks_write(l)
		return wrong
	end
	blocks_write(l)
	for at = 4, #args, width do
		wanted = wanted + tonumber(args[at])
	end
	local id, unique = call('HINCRBY', P .. 'meta', 'next', text_of(wanted)) - wanted + 1, args[2] == '1'
	local old_before
	for at = 4, #args, width do
		local n, needs, identity = tonumber(args[at]), args[at + NE_AT], args[at + UN_AT]
		local old = unique and (named[identity] or known(P, identity))
		local place
		local how = string.match(args[at + DP_AT], '^' .. PREVIOUS .. '(%a)$')
		if how and old_before then
			old = old_before
		elseif how then
			own(l, text_of(id - 1))
			args[at + DP_AT] = text_of(id - 1) .. how
		end
		old_before = old
		if old then
			ids[#ids + 1] = -tonumber(old)
		else
			ids[#ids + 1] = id
			if n > 1 then
				add_block(l, id, args, at, n, args[3])
			else
				place = add_one(l, id, args, at, args[3])
			end
			if identity ~= '' then
				named[identity] = id
			end
			id = id + n
		end
		if place then
			local list = ready[needs] or {}
			list[#list + 1] = place
			list[#list + 1] = ids[#ids]
			ready[needs] = list
			announce(l, needs)
			ring(l, needs, 1)
		end
	end
	local names = {}
	for identity, number in pairs(named) do
		names[#names + 1] = identity
		names[#names + 1] = number
	end
	call_many('HSET', P .. 'u', names)
	for needs, list in pairs(ready) do
		call_many('ZADD', P .. 'q:' .. needs, list)
	end
	close(l)
	return ids
end

-- The first entry and its score in the queue of a class, nil at the end. The queue is read in
-- pages that grow, since one block is often enough.
local function class_head(P, class)
	if class.most <= 0 then
		return nil
	end
	if class.at > #class.page then
		if #class.page < 2 * class.width then
			return nil
		end
		call_many('ZREM', P .. 'q:' .. class.needs, class.taken)
		class.width = class.width > 0 and math.min(class.width * 4, 256) or 2
		class.page = call('ZRANGE', P .. 'q:' .. class.needs, 0, class.width - 1, 'WITHSCORES')
		class.at, class.taken = 1, {}
	end
	return class.page[class.at], tonumber(class.page[class.at + 1])
end

-- A single task: appended to the reply as: t, id, attempt, words, milliseconds left of its total
-- limit ('': none), and how tasks ended that it waited for under a condition (end_text()).
local function claim_one(l, member, id, reply)
	local task = l.P .. 't:' .. id
	local f = call('HMGET', task, 'pl', 'at', 'x')
	if f[3] then
		f = call('HMGET', task, 'pl', 'at', 'tl', 'ae', 'du')
	end
	local attempt, k = tonumber(f[2] or 0) + 1, #reply
	call('HSET', task, 'st', 'running', 'ow', member, 'at', attempt, 'be', l.s)
	if f[5] then
		call('ZREM', l.P .. 'due', id)
		if f[3] then
			call('ZADD', l.P .. 'due', f[3], id)
		end
	end
	reply[k + 1], reply[k + 2], reply[k + 3], reply[k + 4] = 't', id, attempt, f[1]
	reply[k + 5] = f[3] and text_of(math.max(1, tonumber(f[3]) - l.t)) or ''
	reply[k + 6] = f[4] or ''
	l.claims[#l.claims + 1] = id
end

-- Claims up to n tasks of several classes of needs, the best first, and appends them to the reply.
-- Returns how many.
local function pick(l, member, n, classes, reply)
	local P, left, bytes = l.P, n, 0
	while left > 0 and bytes < CLAIM_BYTES do
		local class, entry, best
		for i = #classes, 1, -1 do
			local other = classes[i]
			local head, place = class_head(P, other)
			if not head then
				call_many('ZREM', P .. 'q:' .. other.needs, other.taken)
				table.remove(classes, i)
			elseif not best or place < best then
				class, entry, best = other, head, place
			end
		end
		if not entry then
			break
		end
		local first, taken, over = string.match(entry, '^b(%d+)$'), 1, true
		if first then
			taken, over = block_claim(l, member, first, class.needs, math.min(left, class.most), reply)
		else
			claim_one(l, member, entry, reply)
			class.taken[#class.taken + 1] = entry
		end
		bytes = bytes + (taken > 0 and #reply[#reply - (first and 0 or 2)] or 0)
		left, class.most = left - taken, class.most - taken
		class.at = over and class.at + 2 or class.at
	end
	for _, class in ipairs(classes) do
		call_many('ZREM', P .. 'q:' .. class.needs, class.taken)
	end
	return n - left
end

-- A member that can take more than it has is idle: it hears a bell, and gets so many tasks unasked
-- as it has free workers, without those on the way to it.
local function be_idle(P, member, free, pushed, heard)
	if pushed and pushed ~= heard then
		free = math.max(0, free - math.max(0, pushed - heard))
	end
	call('HSET', P .. 'idle', member, free)
end

-- EPOCH MEMBER FREE HEARD N, then pairs NEEDS MOST. FREE: workers; HEARD: the last number of push()
-- that arrived; N: 0 to be left alone. Returns the milliseconds until the next moment, then items
-- of six values: see claim_one() and block_claim().
local function claim(P, args)
	local member, n = args[2], tonumber(args[5])
	local l, classes, found, reply = ledger(P, now()), {}, 0, { 0 }
	local since = l.t - (swept[P] or 0)
	if since < 0 or since >= SWEPT_MS then
		swept[P] = l.t
		sweep(l)
		blocks_write(l)
	end
	if not lives(l, member) then
		close(l)
		return redis.error_reply('PLMLOST the lease is over')
	end
	l.claims = {}
	for i = 6, #args, 2 do
		classes[#classes + 1] = { needs = args[i], most = tonumber(args[i + 1]), page = {}, at = 1,
			width = 0, taken = {} }
	end
	local h = call('HMGET', P .. 'h:' .. member, 'order', 'pushed')
	if not h[1] then
		found = pick(l, member, n, classes, reply)
	end
	call_many('SADD', P .. 'c:' .. member, l.claims)
	close(l)
	if found < n and not h[1] then
		be_idle(P, member, math.max(0, args[3] - found), h[2], args[4])
	else
		call('HDEL', P .. 'idle', member)
	end
	reply[1] = next_moment(P, l.t)
	return reply
end

-- Notes where the large values of a task are: the runtime (fb) and all references (fr). True: the task
-- may run again if they are lost. The host need not drop them any more.
local function note_far(P, id, args, at, fields)
	local refs, boot = {}, nil
	for i = at + 10, at + 9 + 2 * args[at + 9], 2 do
		if string.find(args[i], '^f%d+$') then
			refs[#refs + 1] = string.match(args[i + 1], '^%S+')
			boot = string.match(refs[#refs], '%.(%x+)$')
		end
	end
	if not boot then
		return false
	end
	call('SREM', P .. 'drop:' .. boot, unpack(refs))
	fields[#fields + 1], fields[#fields + 2] = 'fb', boot
	fields[#fields + 1], fields[#fields + 2] = 'fr', table.concat(refs, ' ')
	return tonumber(call('HGET', P .. 't:' .. id, 'cr') or 0) > 0
end

-- Ends one attempt, args[at ..] as in commit(). True: accepted.
local function commit_one(l, member, id, args, at)
	local P, kind = l.P, args[at + 2]
	local f = call('HMGET', P .. 't:' .. id, unpack(BRIEF))
	if not f[ST] then
		own(l, id)
		f = call('HMGET', P .. 't:' .. id, unpack(BRIEF))
	end
	local ours = f[ST] == 'running' and f[OW] == member and f[AT] == args[at + 1]
	if not ours then
		return false
	end
	local told = f[BRIEF_CX] -- its host was told to end the task
	if f[BRIEF_X] or kind ~= 'd' then
		f = read(P, id)
	else
		f = { [WT] = f[BRIEF_WT] }
	end
	l.gone[#l.gone + 1] = id
	if told then
		l.obeyed[#l.obeyed + 1] = id
	end
	l.finished = l.finished + 1
	local fields = args[at + 7] ~= '0' and { 'wall', args[at + 7] } or {}
	local again = args[at + 1] ~= '1' -- a former attempt may have left its output
	if args[at + 6] ~= '' or again then
		fields[#fields + 1], fields[#fields + 2] = 'err', args[at + 6]
	end
	if args[at + 8] ~= '' or again then
		fields[#fields + 1], fields[#fields + 2] = 'val', args[at + 8]
	end
	for i = at + 10, at + 9 + 2 * args[at + 9] do
		fields[#fields + 1] = args[i]
	end
	if kind == 'd' then
		local anew = note_far(P, id, args, at, fields)
		settle(l, id, 'done', fields, anew and read(P, id) or f, anew)
	elseif kind == 'l' then
		end_lacking(l, id, f, args[at + 5])
	else
		fields[#fields + 1], fields[#fields + 2] = 'code', args[at + 3]
		fields[#fields + 1], fields[#fields + 2] = 'sig', args[at + 4]
		fields[#fields + 1], fields[#fields + 2] = 'msg', args[at + 5]
		end_attempt(l, id, f, kind, fields)
	end
	return true
end

-- The part of a commit that tells about the task j of a block which has left the block.
local function commit_left(l, member, id, piece, n, j)
	local wall, value = 0, ''
	if #piece > 2 + 2 * n then
		local ends = 3 + 6 * n
		local begin = j > 1 and struct.unpack('<I4', piece, ends + 4 * (j - 2)) or 0
		wall = struct.unpack('<I4', piece, 3 + 2 * n + 4 * (j - 1))
		local stop = struct.unpack('<I4', piece, ends + 4 * (j - 1))
		value = string.sub(piece, 3 + 10 * n + begin, 2 + 10 * n + stop)
	end
	return commit_one(l, member, id, { id, '1', 'd', '0', '0', '', '', text_of(wall),
		value, 0 }, 1)
end

local function tell_block(l, b, record)
	if b.wt then
		tell(l, b.wt, record)
	end
	for _, token in ipairs(b.wa and call('SMEMBERS', l.P .. 'w:b' .. b.name) or {}) do
		tell(l, token, record)
	end
end

-- What became of the tasks of one claim of a block, all of which are done. piece: see result_of().
-- Returns 1, or, when some attempts are void, a text of a 0 or 1 for each.
local function commit_block(l, member, first, from, piece)
	local n = string.byte(piece, 1) + MARK * string.byte(piece, 2)
	local index = { string.byte(piece, 3, 2 + 2 * n) }
	local b = block_of(l, first)
	local c = b and claim_of(b, from)
	local mine = c and c.owner == member
	local good, marks, low, high = 0, {}, 0, 0
	if b then
		low, high = (b.k + 1) % MARK, math.floor((b.k + 1) / MARK)
	end
	for j = 1, n do
		local i = index[2 * j - 1] + MARK * index[2 * j]
		local at = 2 * i + 1
		if mine and i >= c.from and i < c.to and b.m[at] == 0 and b.m[at + 1] == 0 then
			b.m[at], b.m[at + 1] = low, high
			good = good + 1
			marks[j] = '1'
		else
			local left = not b or i < b.n and code_of(b, i) == OUT
			marks[j] = left and commit_left(l, member, text_of(first + i), piece, n, j) and '1' or '0'
		end
	end
	if good > 0 then
		block_put(b, 'r' .. b.k, l.s .. ' ' .. c.began .. ' ' .. member .. '\n' ..
			(#piece > 2 + 2 * n and piece or ''))
		b.k, b.left = b.k + 1, b.left - good
		claim_shrink(b, c, good)
		count(l, 'done', good)
		l.finished = l.finished + good
	end
	if good == n then
		local whole = #piece <= CARRIED
		local told = whole and piece or string.sub(piece, 1, 2 + 2 * n)
		tell_block(l, b, (whole and 'g' or 'i') .. first .. ',' .. #told .. ';' .. told)
		return 1
	end
	for j = 1, good > 0 and n or 0 do
		local i = index[2 * j - 1] + MARK * index[2 * j]
		if code_of(b, i) == b.k then
			tell_block(l, b, 'e' .. text_of(b.first + i) .. ';')
		end
	end
	return table.concat(marks)
end

-- EPOCH MEMBER FREE HEARD, as in claim(), then items. An attempt: ID ATTEMPT KIND CODE SIGNAL
-- MESSAGE STDERR WALL_US VALUE N, and N further results as pairs of a field and its value (v1,
-- v2...); KIND d: done; f, x, c, b as in end_attempt(). Attempts that are done, of one claim of a
-- block: FIRST FROM g '' '' '' '' '' PIECE 0. Returns 1 if the member is still idle (0: it has to claim), then for each item 1 (accepted), 0 (void) or a text:
-- see commit_block().
local function commit(P, args)
	local member, at = args[2], 5
	local l, reply = ledger(P, now()), { 0 }
	l.gone, l.obeyed, l.finished = {}, {}, 0
	while at <= #args do
		if args[at + 2] == 'g' then
			reply[#reply + 1] = commit_block(l, member, args[at], args[at + 1], args[at + 8])
		else
			reply[#reply + 1] = commit_one(l, member, args[at], args, at) and 1 or 0
		end
		at = at + 10 + 2 * args[at + 9]
	end
	call_many('SREM', P .. 'c:' .. member, l.gone)
	call_many('SREM', P .. 'x:' .. member, l.obeyed)
	if l.finished > 0 then
		call('HINCRBY', P .. 'h:' .. member, 'finished', text_of(l.finished))
	end
	close(l)
	if call('HEXISTS', P .. 'idle', member) == 1 then
		be_idle(P, member, args[3], call('HGET', P .. 'h:' .. member, 'pushed'), args[4])
		reply[1] = 1
	end
	return reply
end

-- EPOCH MEMBER, then pairs of facts of the host. A new member gets a lease.
local function join(P, args)
	local member = args[2]
	local l, lease = ledger(P, now()), tonumber(call('HGET', P .. 'meta', 'lease_ms'))
	call('ZADD', P .. 'lease', l.t + lease, member)
	call('HSET', P .. 'h:' .. member, 'state', 'up', 'joined', l.t, 'seen', l.t, 'finished', 0,
		unpack(args, 3))
	local boot = call('HGET', P .. 'h:' .. member, 'boot')
	call('HSET', P .. 'boots', boot, member)
	call('PERSIST', P .. 'drop:' .. boot)
	-- A drained host whose bridge died stays drained.
	local ordered = call('HGET', P .. 'orders', call('HGET', P .. 'h:' .. member, 'name') or '')
	if ordered then
		call('HSET', P .. 'h:' .. member, 'order', ordered)
	end
	sweep(l)
	close(l)
	return lease
end

-- The classes. When there are many, those of which no task waits are dropped, since each host asks for
-- every class that it knows.
local function classes_of(P)
	local all = call('SMEMBERS', P .. 'needs')
	if #all <= CLASSES then
		return all
	end
	local alive = {}
	for _, needs in ipairs(all) do
		if call('EXISTS', P .. 'q:' .. needs) == 1 then
			alive[#alive + 1] = needs
		else
			call('SREM', P .. 'needs', needs)
		end
	end
	return alive
end

-- EPOCH MEMBER, then pairs of facts. PLMLOST: the member was taken over. Returns the order of the
-- operator ('': none), the milliseconds until the next moment, the classes of needs as one text,
-- the number of the last push(), large values to be dropped as a text, the request of trace_ask() or
-- '', then the ids of tasks to be
-- ended.
local function renew(P, args)
	local member = args[2]
	local l, lease = ledger(P, now()), tonumber(call('HGET', P .. 'meta', 'lease_ms'))
	sweep(l)
	if not lives(l, member) then
		close(l)
		return redis.error_reply('PLMLOST the lease is over')
	end
	call('ZADD', P .. 'lease', l.t + lease, member)
	call('HSET', P .. 'h:' .. member, 'seen', l.t, unpack(args, 3))
	forget_old(l)
	close(l)
	local h = call('HMGET', P .. 'h:' .. member, 'order', 'pushed', 'boot', 'trace')
	local reply = { h[1] or '', next_moment(P, l.t), table.concat(classes_of(P), '\n'),
		tonumber(h[2] or 0), table.concat(call('SRANDMEMBER', P .. 'drop:' .. h[3], DROPS), ' '),
		h[4] or '' }
	if h[4] then
		call('HDEL', P .. 'h:' .. member, 'trace')
	end
	for _, id in ipairs(call('SMEMBERS', P .. 'x:' .. member)) do
		reply[#reply + 1] = id
	end
	return reply
end

-- EPOCH MEMBER: the number of the last push(), and the claims of the member, as ids and attempts,
-- for a host whose connection broke.
local function mine(P, args)
	local member = args[2]
	local reply = { tonumber(call('HGET', P .. 'h:' .. member, 'pushed') or 0) }
	if not call('ZSCORE', P .. 'lease', member) then
		return redis.error_reply('PLMLOST the lease is over')
	end
	for _, id in ipairs(claimed_by(ledger(P, 0), member)) do
		reply[#reply + 1] = id
		reply[#reply + 1] = tonumber(call('HGET', P .. 't:' .. id, 'at') or 1)
	end
	return reply
end

-- EPOCH MEMBER: the member has ended all its attempts and goes; what it left behind goes back.
local function leave(P, args)
	local member = args[2]
	if not call('ZSCORE', P .. 'lease', member) then
		return 0
	end
	local l = ledger(P, now())
	for _, id in ipairs(claimed_by(l, member, take_out)) do
		local f = read(P, id)
		if f[OW] == member and f[ST] == 'running' then
			end_attempt(l, id, f, 'x', { 'code', '130', 'msg', 'its host left the fleet' })
		end
	end
	call('DEL', P .. 'c:' .. member, P .. 'x:' .. member)
	call('ZREM', P .. 'lease', member)
	call('HDEL', P .. 'idle', member)
	close_store(P, member)
	call('HSET', P .. 'h:' .. member, 'state', 'left')
	call('ZADD', P .. 'gone', l.t, member)
	close(l)
	return 1
end

-- EPOCH ID...: returns for each 1 (cancelled, or its host was told), 0 (settled before), -1 (none).
local function cancel(P, args)
	local reply = {}
	local l = ledger(P, now())
	for i = 2, #args do
		local id = args[i]
		own(l, id)
		local f = call('HMGET', P .. 't:' .. id, 'st', 'ow', 'ne')
		reply[i - 1] = 1
		if not f[1] then
			reply[i - 1] = -1
		elseif f[1] == 'running' then
			call('HSET', P .. 't:' .. id, 'cx', 'c')
			call('SADD', P .. 'x:' .. f[2], id)
			call('PUBLISH', P .. 'bell:' .. f[2], 'x')
		elseif not is_settled(f[1]) then
			take_off(P, id, f[3])
			settle(l, id, 'cancelled', {})
		else
			reply[i - 1] = 0
		end
	end
	close(l)
	return reply
end

-- EPOCH ID...: running tasks go back into the queue and spend no retry. Returns for each 1 (its host
-- was told, or it waits anyway), 0 (it has ended, or is being ended), -1 (none).
local function requeue(P, args)
	local l, reply = ledger(P, now()), {}
	for i = 2, #args do
		local id, task = args[i], P .. 't:' .. args[i]
		own(l, id)
		local f = call('HMGET', task, 'st', 'ow', 'cx')
		reply[i - 1] = not f[1] and -1 or 1
		if f[1] == 'running' and not f[3] then
			call('HSET', task, 'cx', 'r')
			call('SADD', P .. 'x:' .. f[2], id)
			call('PUBLISH', P .. 'bell:' .. f[2], 'x')
		elseif f[3] or f[1] == 'done' or f[1] == 'failed' or f[1] == 'cancelled' then
			reply[i - 1] = 0
		end
	end
	close(l)
	return reply
end

-- EPOCH BOOT: where the large values of a runtime are to be had ('': nowhere).
local function place(P, args)
	local member = call('HGET', P .. 'boots', args[2])
	return { member and call('HGET', P .. 'h:' .. member, 'serves') or '' }
end

-- EPOCH ID BOOT: 1: the task whose large value is lost runs again; 0: it may not.
local function remake_one(P, args)
	local l = ledger(P, now())
	own(l, args[2])
	local again = remake(l, args[2], args[3])
	close(l)
	return again and 1 or 0
end

-- EPOCH BOOT REF...: values that are to be dropped unless a commit takes them.
local function pledge(P, args)
	call('SADD', P .. 'drop:' .. args[2], unpack(args, 3))
	return 1
end

-- EPOCH BOOT REF...: the values were dropped.
local function dropped(P, args)
	call('SREM', P .. 'drop:' .. args[2], unpack(args, 3))
	return 1
end

-- EPOCH TITLE VALUE: a value that no task has made. Returns its id.
local function put(P, args)
	local l = ledger(P, now())
	local id = string.format('%.0f', call('HINCRBY', P .. 'meta', 'next', 1))
	call('HSET', P .. 't:' .. id, 'su', l.s, 'ti', args[2], 'val', args[3])
	settle(l, id, 'done', {}, {})
	close(l)
	return id
end

-- EPOCH ID...: failed and cancelled tasks are queued again under their ids, with fresh budgets.
-- Returns for each 1, 0 (the task has not failed), -1 (none), -2 (a task that it waits for has not ended
-- as it has to).
local function retry(P, args)
	local reply = {}
	local l = ledger(P, now())
	for i = 2, #args do
		local id, task = args[i], P .. 't:' .. args[i]
		own(l, id)
		local f = call('HMGET', task, 'st', 'pr', 'ne', 'ro', 'co', 'dp', 'un', 'qm', 'tm')
		local good = f[1] == 'failed' or f[1] == 'cancelled'
		reply[i - 1] = not f[1] and -1 or good and 1 or 0
		local ends = ''
		for _, dep in ipairs(good and deps_of(f[6]) or {}) do
			local d = call('HMGET', P .. 't:' .. dep.id, 'st', 'code')
			if not is_settled(d[1]) or not is_met(dep.how, d[1]) then
				reply[i - 1] = -2
			elseif dep.how ~= '' then
				ends = ends .. end_text(dep.id, d[1], d[2] or '0')
			end
		end
		if reply[i - 1] == 1 then
			for _, dep in ipairs(ids_of(f[6])) do
				call('HINCRBY', P .. 't:' .. dep, 'us', 1)
			end
			call('ZREM', P .. 'ended', id)
			l.counts[f[1]] = (l.counts[f[1]] or 0) - 1
			call('HDEL', task, 'cx', 'code', 'sig', 'msg', 'err', 'val', 'en', 'tl', 'du', 'pk', 'tn')
			call('HSET', task, 'st', 'ready', 're', f[4] or 0, 'cr', f[5] or 0, 'ow', '', 'su', l.t,
				'ae', ends)
			if f[7] then
				call('HSET', P .. 'u', f[7], id)
			end
			limit(l, id, f[8] or '', f[9] or '', function(name, value)
				call('HSET', task, name, value)
			end)
			enqueue(l, id, f[2], f[3])
		end
	end
	close(l)
	return reply
end

-- EPOCH ID...: removes settled tasks. Returns for each 1, 0 (not settled), -1 (none).
local function forget(P, args)
	local l, reply = ledger(P, now()), {}
	for i = 2, #args do
		local id, task = args[i], P .. 't:' .. args[i]
		local f = call('HMGET', task, 'st', 'us')
		local b, j
		if not f[1] then
			b, j = inside(l, id)
		end
		reply[i - 1] = not f[1] and not b and -1 or 0
		if b and state_in(b, j) == 'done' then
			set_code(b, j, OUT)
			b.kept = b.kept - 1
			count(l, 'done', -1)
			reply[i - 1] = 1
		elseif f[1] == 'done' or f[1] == 'failed' or f[1] == 'cancelled' then
			if tonumber(f[2] or 0) > 0 then
				call('HSET', task, 'fo', 1) -- another task still needs the value
			else
				remove(P, id)
			end
			count(l, f[1], -1)
			reply[i - 1] = 1
		end
	end
	close(l)
	return reply
end

-- EPOCH WHERE PRIORITY ID...: another place for tasks that do not run. WHERE: priority; front (before
-- all others of the same priority); parked (until `back`, in no queue); back. Returns for each 1, 0
-- (settled or running; back: not parked), -1 (none).
local function move(P, args)
	local l, reply, where = ledger(P, now()), {}, args[2]
	for i = 4, #args do
		local id, task = args[i], P .. 't:' .. args[i]
		own(l, id)
		local f = call('HMGET', task, 'st', 'pr', 'ne', 'pk', 'tn')
		local queued = f[1] and f[1] ~= 'running' and not is_settled(f[1]) and
			(where ~= 'back' or f[4])
		reply[i - 3] = queued and 1 or f[1] and 0 or -1
		if queued and where == 'parked' then
			call('HSET', task, 'pk', 1)
			f[4] = 1
		elseif queued and where == 'back' then
			call('HDEL', task, 'pk')
			f[4] = nil
		elseif queued and where == 'front' then
			f[5] = text_of(call('HINCRBY', P .. 'meta', 'fronts', -1))
			call('HSET', task, 'tn', f[5])
		elseif queued then
			f[2] = args[3]
			call('HSET', task, 'pr', f[2])
		end
		if queued and (f[1] == 'ready' or f[1] == 'parked') then
			take_off(P, id, f[3])
			let_start(l, id, f[4], f[2], f[3], f[5])
		end
	end
	close(l)
	return reply
end

-- EPOCH TOKEN ID...: returns the state of each task ('': none). Of tasks that have not ended the
-- ids are published to n:TOKEN later.
local function watch(P, args)
	local reply = {}
	local l = ledger(P, now())
	sweep(l)
	for i = 3, #args do
		local id = args[i]
		local f = call('HMGET', P .. 't:' .. id, 'st', 'wt')
		local b, j
		if not f[1] then
			b, j = inside(l, id)
			f = b and { state_in(b, j), b.wt } or f
		end
		reply[i - 2] = f[1] or ''
		local ended = not f[1] or f[1] == 'done' or f[1] == 'failed' or f[1] == 'cancelled'
		if b and not ended and f[2] ~= args[2] and b.wa ~= args[2] then
			block_put(b, 'wa', 1)
			b.wa = args[2] -- in this call one look at the set is enough
			call('SADD', P .. 'w:b' .. b.name, args[2])
			call('EXPIRE', P .. 'w:b' .. b.name, DAY)
		elseif not b and not ended and f[2] ~= args[2] then
			call('HSET', P .. 't:' .. id, 'wa', 1, 'x', 1)
			call('SADD', P .. 'w:' .. id, args[2])
			call('EXPIRE', P .. 'w:' .. id, DAY)
		end
	end
	close(l)
	return reply
end

local SHOWN = { 'st', 'pr', 'ne', 'at', 'ow', 'su', 'be', 'en', 'lb', 'ti', 'code', 'sig', 'msg',
	're', 'cr', 'wall', 'dp' }

-- The fields SHOWN of a task in a block, its id and the name of its host before them.
local function list_block(l, b, i, reply)
	local code, r, state = code_of(b, i), { wall = 0 }, state_in(b, i)
	if code > 0 then
		r = result_of(b, i)
	elseif state == 'running' then
		local c = claim_with(b, i)
		r.owner, r.began = c.owner, c.began
	end
	local shown = { st = state, pr = b.pr, ne = b.ne, at = r.owner and 1, ow = r.owner, su = b.su,
		be = r.began, en = r.ended, lb = b.lb, ti = title_of(b, i), re = b.re, cr = b.cr, wall = r.wall }
	reply[#reply + 1] = text_of(b.first + i)
	reply[#reply + 1] = r.owner and call('HGET', l.P .. 'h:' .. r.owner, 'name') or ''
	for _, name in ipairs(SHOWN) do
		reply[#reply + 1] = shown[name] and tostring(shown[name]) or ''
	end
end

-- EPOCH FROM COUNT: up to COUNT tasks from id FROM on. Returns the next id to ask for (0: the end),
-- then for each task its id, the name of its host, and the fields SHOWN.
local function list(P, args)
	local from, count = tonumber(args[2]), tonumber(args[3])
	local last, reply, looked = tonumber(call('HGET', P .. 'meta', 'next')), { 0 }, 0
	local l = ledger(P, 0)
	while from <= last and looked < count do
		local f = call('HMGET', P .. 't:' .. string.format('%.0f', from), 'pk', unpack(SHOWN))
		local parked = table.remove(f, 1)
		if f[1] then
			local owner = f[5] and f[5] ~= '' and call('HGET', P .. 'h:' .. f[5], 'name')
			f[1] = shown_state(f[1], parked)
			reply[#reply + 1] = string.format('%.0f', from)
			reply[#reply + 1] = owner or ''
			for i = 1, #SHOWN do
				reply[#reply + 1] = f[i] and tostring(f[i]) or ''
			end
		else
			local b, j = inside(l, text_of(from))
			if b then
				list_block(l, b, j, reply)
			end
		end
		from = from + 1
		looked = looked + 1
	end
	reply[1] = from <= last and from or 0
	return reply
end

-- EPOCH: the numbers of the queue, as pairs.
local function status(P, args)
	local l, ready, running = nil, 0, 0
	l = ledger(P, now())
	sweep(l)
	close(l)
	ready = call('ZCARD', P .. 'q:')
	for _, needs in ipairs(call('SMEMBERS', P .. 'needs')) do
		ready = ready + call('ZCARD', P .. 'q:' .. needs)
	end
	for _, n in ipairs(call('HVALS', P .. 'extra')) do
		ready = ready + tonumber(n)
	end
	local members = call('ZRANGE', P .. 'lease', 0, -1)
	for _, member in ipairs(members) do
		running = running + claims_count(P, member)
	end
	local c = call('HMGET', P .. 'counts', 'done', 'failed', 'cancelled')
	return { 'waiting', call('ZCARD', P .. 'waiting'), 'ready', ready, 'pause',
		call('ZCARD', P .. 'later'), 'running', running, 'done', tonumber(c[1] or 0), 'failed',
		tonumber(c[2] or 0), 'cancelled', tonumber(c[3] or 0), 'hosts', #members, 'parked',
		call('ZCARD', P .. 'parked') }
end

local HOST = { 'name', 'state', 'order', 'seen', 'cores', 'busy', 'mem_total', 'mem_used',
	'finished', 'pid', 'runtime', 'version', 'can', 'lacks', 'has' }

-- EPOCH: for each host, present or gone: member, milliseconds since its last sign of life, claims,
-- and the fields HOST.
local function hosts(P, args)
	local reply = {}
	local l = ledger(P, now())
	sweep(l)
	close(l)
	for _, key in ipairs({ 'lease', 'gone' }) do
		for _, member in ipairs(call('ZRANGE', P .. key, 0, -1)) do
			local f = call('HMGET', P .. 'h:' .. member, unpack(HOST))
			reply[#reply + 1] = member
			reply[#reply + 1] = string.format('%.0f', l.t - tonumber(f[4] or l.t))
			reply[#reply + 1] = text_of(claims_count(P, member))
			for i = 1, #HOST do
				reply[#reply + 1] = f[i] and tostring(f[i]) or ''
			end
		end
	end
	return reply
end

-- Waiting tasks of equal needs that come first.
local function before(l, needs, id, b, i)
	local P = l.P
	local entry = b and 'b' .. b.name or id
	local place = call('ZSCORE', P .. 'q:' .. needs, entry)
	if not place then
		return 0
	end
	local n = call('ZRANK', P .. 'q:' .. needs, entry)
	for j = b and b.at or 1, b and i - 1 or 0 do
		n = n + (code_of(b, j) == OUT and 0 or 1)
	end
	for _, first in ipairs(call('ZRANGEBYSCORE', P .. 'k:' .. needs, '-inf', '(' .. place)) do
		local f = call('HMGET', P .. 'b:' .. first, 'n', 'at', 'o')
		n = n + f[1] - f[2] - 1
		for j = f[2], f[3] and f[1] - 1 or -1 do
			n = n - (code_of(block_of(l, first), j) == OUT and 1 or 0)
		end
	end
	return n
end

-- EPOCH ID FIELD FAR: the state of a task, its code, signal, message, value (FIELD: val, v1, v2...),
-- errors, attempt, and the place of a large value (FAR: f0, f1...).
local function result(P, args)
	local id = args[2]
	local f = call('HMGET', P .. 't:' .. id, 'st', 'code', 'sig', 'msg', args[3], 'err', 'at', args[4])
	local l = ledger(P, 0)
	if not f[1] then
		local b, i = inside(l, id)
		local state = b and state_in(b, i) or ''
		local value = state == 'done' and args[3] == 'val' and result_of(b, i).value or ''
		return { state, '', '', '', value, '', (state == 'done' or state == 'running') and 1 or 0 }
	end
	return f
end

-- EPOCH ID: why a task has not ended: state, needs, tasks before it in its queue, milliseconds
-- until its pause ends, its host, milliseconds since its begin, attempt, message, then the tasks
-- that it waits for and that have not ended so, each with its state and the condition (deps_of()).
local function explain(P, args)
	local id, task = args[2], P .. 't:' .. args[2]
	local l = ledger(P, now())
	sweep(l)
	close(l)
	local f = call('HMGET', task, 'st', 'ne', 'ow', 'be', 'at', 'msg', 'dp', 'pk')
	f[1] = shown_state(f[1], f[8])
	local b, i
	if not f[1] then
		b, i = inside(l, id)
	end
	if b and state_in(b, i) == 'running' then
		local c = claim_with(b, i)
		f = { 'running', b.ne, c.owner, c.began, 1 }
	elseif b then
		f = { state_in(b, i), b.ne }
	end
	local owner = f[3] and f[3] ~= '' and call('HGET', P .. 'h:' .. f[3], 'name')
	local later = call('ZSCORE', P .. 'later', id)
	local reply = { f[1] or '', f[2] or '', before(l, f[2] or '', id, b, i),
		later and math.max(0, later - l.t) or 0, owner or '',
		f[4] and math.max(0, l.t - f[4]) or 0, tonumber(f[5] or 0), f[6] or '' }
	for _, dep in ipairs(deps_of(f[7])) do
		local state = call('HGET', P .. 't:' .. dep.id, 'st') or 'gone'
		if not is_settled(state) or not is_met(dep.how, state) then
			local k = #reply
			reply[k + 1], reply[k + 2], reply[k + 3] = dep.id, state, dep.how
		end
	end
	return reply
end

-- EPOCH ID TOKEN STREAM FROM: asks the host that runs the task for the output from byte FROM on, of
-- stream 1 or 2, which the host hands over by trace_give(). Returns the state ('': no such task) and
-- the attempt.
local function follow(P, args)
	local id, l = args[2], ledger(P, 0)
	local f = call('HMGET', P .. 't:' .. id, 'st', 'at', 'ow')
	local b, i
	if not f[1] then
		b, i = inside(l, id)
		f = b and { state_in(b, i), 1 } or f
	end
	if f[1] == 'running' then
		local owner = b and claim_with(b, i).owner or f[3]
		call('PUBLISH', P .. 'bell:' .. owner, 'f' .. id .. ' ' .. f[2] .. ' ' .. table.concat(args, ' ', 3))
	end
	return { f[1] or '', tonumber(f[2] or 0) }
end

-- EPOCH NAME ORDER: drain, close, or '' to take an order back. Returns how many hosts heard.
local function order(P, args)
	local heard = 0
	for _, member in ipairs(call('ZRANGE', P .. 'lease', 0, -1)) do
		if call('HGET', P .. 'h:' .. member, 'name') == args[2] then
			heard = heard + 1
			if args[3] == '' then
				call('HDEL', P .. 'h:' .. member, 'order')
			else
				call('HSET', P .. 'h:' .. member, 'order', args[3])
				call('HDEL', P .. 'idle', member)
			end
			call('PUBLISH', P .. 'bell:' .. member, 'x')
		end
	end
	if heard > 0 and args[3] == 'drain' then
		call('HSET', P .. 'orders', args[2], args[3])
	elseif heard > 0 then
		call('HDEL', P .. 'orders', args[2])
	end
	return heard
end

-- EPOCH: asks every host to renew now, which tells what the host has. Returns how many were asked.
local function freshen(P, args)
	local members = call('ZRANGE', P .. 'lease', 0, -1)
	for _, member in ipairs(members) do
		call('PUBLISH', P .. 'bell:' .. member, 'x')
	end
	return #members
end

-- EPOCH REQUEST: asks every host, once, for its part of a trace. Returns how many were asked. A
-- request that has not been heard yet gives way to the newer one.
local function trace_ask(P, args)
	local members = call('ZRANGE', P .. 'lease', 0, -1)
	for _, member in ipairs(members) do
		call('HSET', P .. 'h:' .. member, 'trace', args[2])
		call('PUBLISH', P .. 'bell:' .. member, 'x')
	end
	return #members
end

-- EPOCH TOKEN PART MS: a part of a trace, for the user who has the token, for a while.
local function trace_give(P, args)
	call('RPUSH', P .. 'trace:' .. args[2], args[3])
	call('PEXPIRE', P .. 'trace:' .. args[2], args[4])
	return 1
end

-- When memory is full, Redis refuses a function before it begins. No task is added then; what
-- starts or ends work goes on. (A library that is being loaded has no loops over tables.)
local function begun(verb)
	return function(keys, args)
		call = redis.call
		return verb(keys, args)
	end
end
local function guarded(verb) -- works on the queue of the epoch alone
	return begun(function(keys, args)
		return refuse(keys[1], args[1]) or verb(keys[1], args)
	end)
end
local function register(name, verb)
	redis.register_function{ function_name = 'plm2_' .. name, callback = guarded(verb),
		flags = { 'allow-oom' } }
end
redis.register_function{ function_name = 'plm2_open', callback = begun(open), flags = { 'allow-oom' } }
redis.register_function('plm2_add', guarded(add))
redis.register_function('plm2_put', guarded(put))
register('claim', claim)
register('commit', commit)
register('join', join)
register('renew', renew)
register('mine', mine)
register('leave', leave)
register('cancel', cancel)
register('requeue', requeue)
register('place', place)
register('remake', remake_one)
register('pledge', pledge)
register('dropped', dropped)
register('retry', retry)
register('forget', forget)
register('move', move)
register('watch', watch)
register('result', result)
register('list', list)
register('status', status)
register('hosts', hosts)
register('order', order)
register('freshen', freshen)
register('follow', follow)
register('explain', explain)
redis.register_function('plm2_trace_ask', guarded(trace_ask))
redis.register_function('plm2_trace_give', guarded(trace_give))
