#!lua name=plm_fleet_1
-- fleet.lua - the engine's side of a fleet: one function for each verb, and each call is one step.
--
-- Redis runs a function without interruption, so a claim, a commit, a return, a renewal and a
-- take-over happen as a whole or not at all. README.md lists the keys; each function gets the
-- prefix of the queue as the single key (P). The first argument is the epoch of the queue: a queue that
-- was replaced by an empty one has another epoch, and refuses the words of hosts of the former.
--
-- A task is owned by the member (host) that claimed it, in one attempt. A commit names both; when a
-- take-over has changed either, the commit is void. Time is the time of the engine, here and only
-- here: clocks of hosts are never compared.

local FORMAT = '1'
local SWEEP = 200         -- tasks that one call moves on because their time has come
local TAKEN = 4           -- lost hosts that one call takes over
local PRIORITIES = 32767
local TURNS = 68719476736 -- 2^36: ids below the priority in a score
local DROPS = 64          -- large values that one renewal tells a host to drop
local DAY = 86400

-- Redis gives its commands to a function that runs, not to one that is being loaded.
local function call(...)
	return redis.call(...)
end

local function now()
	local t = call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- nil, or the error of a queue that is missing, of another format, or of another epoch.
local function refuse(P, epoch)
	local meta = call('HMGET', P .. 'meta', 'format', 'epoch')
	if not meta[1] then
		return redis.error_reply('PLMNONE the queue is not there')
	end
	if meta[1] ~= FORMAT then
		return redis.error_reply('PLMFORMAT ' .. meta[1])
	end
	if meta[2] ~= epoch then
		return redis.error_reply('PLMEPOCH the queue was replaced by another one')
	end
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

-- What a call has to write and to tell at its end, all at once: tasks that ended, a message for each
-- client, a count for each outcome.
local function ledger(P, t)
	-- s: the time as a text, since Redis prints numbers slowly.
	return { P = P, t = t, s = string.format('%.0f', t), told = {}, counts = {}, ended = {}, rung = 0, rung_all = false }
end

local function ring(l, needs)
	l.rung = l.rung + 1
	l.rung_all = l.rung_all or needs ~= ''
end

-- A command with as many words as Lua can pass, again and again.
local function call_many(command, key, words)
	for from = 1, #words, 2000 do
		call(command, key, unpack(words, from, math.min(from + 1999, #words)))
	end
end

local function close(l)
	call_many('ZADD', l.P .. 'ended', l.ended)
	for token, ids in pairs(l.told) do
		call('PUBLISH', l.P .. 'n:' .. token, table.concat(ids, ' '))
	end
	for state, n in pairs(l.counts) do
		call('HINCRBY', l.P .. 'counts', state, n)
	end
	if l.rung > 0 then
		local n = l.rung
		if l.rung_all then
			n = call('SCARD', l.P .. 'idle')
		end
		for _, member in ipairs(call('SPOP', l.P .. 'idle', n)) do
			call('PUBLISH', l.P .. 'bell:' .. member, 'w')
		end
	end
end

local function enqueue(l, id, priority, needs)
	needs = needs or ''
	call('ZADD', l.P .. 'q:' .. needs, score(tonumber(priority or 0), tonumber(id)), id)
	ring(l, needs)
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
	'du', 'kp' }
local OW, AT, ST, RE, CR, CX, PR, NE, BO, BM, RO, WT, WA, DN, DP, DU, KP = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	11, 12, 13, 14, 15, 16, 17

local BRIEF = { 'ow', 'at', 'st', 'wt', 'x' }
local BRIEF_WT, BRIEF_X = 4, 5

local function read(P, id)
	return call('HMGET', P .. 't:' .. id, unpack(READ))
end

local function tell(l, token, id)
	local ids = l.told[token]
	if not ids then
		ids = {}
		l.told[token] = ids
	end
	ids[#ids + 1] = id
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

-- A task has ended: those that wait for it go on, or fail with the reason.
local function tell_dependents(l, id, state, why)
	local key = l.P .. 'd:' .. id
	for _, other in ipairs(call('SMEMBERS', key)) do
		local task = l.P .. 't:' .. other
		local f = call('HMGET', task, 'st', 'pr', 'ne')
		if f[1] == 'waiting' and state ~= 'done' then
			call('ZREM', l.P .. 'waiting', other)
			settle(l, other, 'failed', { 'code', '121', 'msg',
				'task ' .. id .. ', which it waits for, ' .. state .. ': ' .. why })
		elseif f[1] == 'waiting' and call('HINCRBY', task, 'mi', -1) == 0 then
			call('ZREM', l.P .. 'waiting', other)
			call('HSET', task, 'st', 'ready')
			enqueue(l, other, f[2], f[3])
		end
	end
	call('DEL', key)
end

-- fields: a list of names and values to be written with the outcome. again: the task may have to run
-- again, and keeps its words and the values of others for that.
settle = function(l, id, state, fields, f, again)
	local P, task = l.P, l.P .. 't:' .. id
	local n = #fields
	f = f or call('HMGET', task, unpack(READ))
	fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 'st', state, 'en', l.s
	if again then
		fields[n + 5], fields[n + 6] = 'ag', '1'
	elseif state == 'done' then
		fields[n + 5], fields[n + 6] = 'pl', '' -- a failed task keeps its words for a retry
	end
	call('HSET', task, unpack(fields))
	l.ended[#l.ended + 1] = kept_from(l, f[KP])
	l.ended[#l.ended + 1] = id
	l.counts[state] = (l.counts[state] or 0) + 1
	if f[WT] then
		tell(l, f[WT], id)
	end
	if f[WA] then
		for _, token in ipairs(call('SMEMBERS', P .. 'w:' .. id)) do
			tell(l, token, id)
		end
		call('DEL', P .. 'w:' .. id)
	end
	if f[DU] then
		call('ZREM', P .. 'due', id)
	end
	if f[DN] then
		local why = ''
		for i = 1, n, 2 do
			why = fields[i] == 'msg' and fields[i + 1] or why
		end
		tell_dependents(l, id, state, why)
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
		enqueue(l, id, f[PR], f[NE])
	elseif kind == 'x' and crashes > 0 then
		call('HSET', task, 'st', 'ready', 'ow', '', 'cr', crashes - 1)
		enqueue(l, id, f[PR], f[NE])
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
		for _, id in ipairs(call('SMEMBERS', P .. 'c:' .. member)) do
			local f = read(P, id)
			if f[OW] == member and f[ST] == 'running' then
				end_attempt(l, id, f, 'x', { 'code', '130', 'msg', 'host ' .. name ..
					' gave no sign of life while the task was there' })
			end
		end
		call('DEL', P .. 'c:' .. member, P .. 'x:' .. member)
		call('ZREM', P .. 'lease', member)
		call('SREM', P .. 'idle', member)
		close_store(P, member)
		call('HSET', P .. 'h:' .. member, 'state', 'lost')
		call('ZADD', P .. 'gone', l.t, member)
	end
end

local function forget_old(l)
	local P = l.P
	local keep = tonumber(call('HGET', P .. 'meta', 'keep_ms'))
	for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'ended', '-inf', l.t - keep, 'LIMIT', 0, SWEEP)) do
		local f = call('HMGET', P .. 't:' .. id, 'us', 'st')
		l.counts[f[2]] = (l.counts[f[2]] or 0) - 1
		if tonumber(f[1] or 0) > 0 then
			call('HSET', P .. 't:' .. id, 'fo', 1)
			call('ZREM', P .. 'ended', id)
		else
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
	call('ZREM', P .. 'waiting', id)
	call('ZREM', P .. 'later', id)
	call('ZREM', P .. 'q:' .. (f[3] or ''), id)
	local total = f[4] and tonumber(f[4]) <= l.t
	settle(l, id, 'failed', { 'code', '110', 'msg', total and
		'--total-limit: the task was not done in time' or
		'--queue-limit: the task had not started in time' })
end

-- Pauses that are over, limits that are reached, members that are lost.
local function sweep(l)
	local P = l.P
	for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'later', '-inf', l.t, 'LIMIT', 0, SWEEP)) do
		local f = call('HMGET', P .. 't:' .. id, 'pr', 'ne')
		call('ZREM', P .. 'later', id)
		call('HSET', P .. 't:' .. id, 'st', 'ready')
		enqueue(l, id, f[1], f[2])
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
	for key, wanted in pairs({ lease = 'zset', ended = 'zset', idle = 'set', u = 'hash',
		['q:'] = 'zset', later = 'zset', due = 'zset', counts = 'hash', waiting = 'zset' }) do
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

-- The tasks that a new task waits for. Returns how many have not ended, and why it cannot run.
local function depend(P, id, deps)
	local missing, lost = 0, nil
	for _, dep in ipairs(ids_of(deps)) do
		local state = call('HGET', P .. 't:' .. dep, 'st')
		call('HINCRBY', P .. 't:' .. dep, 'us', 1)
		if state == 'failed' or state == 'cancelled' then
			lost = 'task ' .. dep .. ', which it waits for, ' .. state .. ' before'
		elseif state ~= 'done' then
			call('SADD', P .. 'd:' .. dep, id)
			call('HSET', P .. 't:' .. dep, 'dn', 1, 'x', 1)
			missing = missing + 1
		end
	end
	return missing, lost
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
	local missing, lost = 0, nil
	if args[at + DP_AT] ~= '' then
		missing, lost = depend(P, id, args[at + DP_AT])
		put('mi', missing)
		put('x', 1)
	end
	if missing > 0 then
		f[6] = 'waiting'
	end
	call('HSET', P .. 't:' .. id, unpack(f))
	if lost then
		settle(l, id, 'failed', { 'code', '121', 'msg', lost })
	elseif missing > 0 then
		call('ZADD', P .. 'waiting', id, id)
	else
		return score(tonumber(args[at + PR_AT]), id)
	end
end

-- EPOCH UNIQUE TOKEN, then the fields of each task. Returns an id a task; of a task that was there
-- already (UNIQUE) the negative id.
local function add(P, args)
	local width = #ADDED
	local l, n, ids, ready, named = ledger(P, now()), (#args - 3) / width, {}, {}, {}
	for i = 1, n do
		for _, dep in ipairs(ids_of(args[3 + (i - 1) * width + DP_AT])) do
			if call('EXISTS', P .. 't:' .. dep) == 0 then
				return redis.error_reply('PLMDEP ' .. dep)
			end
		end
	end
	local id, unique = call('HINCRBY', P .. 'meta', 'next', n) - n, args[2] == '1'
	for i = 1, n do
		local at = 3 + (i - 1) * width
		local needs, identity = args[at + NE_AT], args[at + UN_AT]
		local old = unique and (named[identity] or known(P, identity))
		if old then
			ids[i] = -tonumber(old)
		else
			id = id + 1
			ids[i] = id
			local place = add_one(l, id, args, at, args[3])
			if identity ~= '' then
				named[identity] = id
			end
			if place then
				local list = ready[needs] or {}
				list[#list + 1] = place
				list[#list + 1] = id
				ready[needs] = list
				ring(l, needs)
			end
		end
	end
	local names = {}
	for identity, number in pairs(named) do
		names[#names + 1] = identity
		names[#names + 1] = number
	end
	call_many('HSET', P .. 'u', names)
	for needs, list in pairs(ready) do
		if needs ~= '' then
			call('SADD', P .. 'needs', needs)
		end
		call_many('ZADD', P .. 'q:' .. needs, list)
	end
	close(l)
	return ids
end

-- The best n tasks of several classes of needs, best first.
local function pick(P, n, classes)
	if #classes == 1 then
		local popped, ids = call('ZPOPMIN', P .. 'q:' .. classes[1].needs,
			math.min(n, classes[1].most)), {}
		for i = 1, #popped, 2 do
			ids[#ids + 1] = popped[i]
		end
		return ids
	end
	local heads = {}
	for _, class in ipairs(classes) do
		local most = math.min(n, class.most)
		if most > 0 then
			local found = call('ZRANGE', P .. 'q:' .. class.needs, 0, most - 1, 'WITHSCORES')
			for i = 1, #found, 2 do
				heads[#heads + 1] = { found[i], tonumber(found[i + 1]), class.needs }
			end
		end
	end
	table.sort(heads, function(a, b) return a[2] < b[2] end)
	local ids = {}
	for i = 1, math.min(n, #heads) do
		ids[i] = heads[i][1]
		call('ZREM', P .. 'q:' .. heads[i][3], ids[i])
	end
	return ids
end

-- EPOCH MEMBER N, then pairs NEEDS MOST. Returns the milliseconds until the next moment, then five
-- values a task: id, attempt, words, milliseconds left of its total limit ('': no limit), and the
-- tasks that it waited for.
local function claim(P, args)
	local member, n = args[2], tonumber(args[3])
	local l, classes = ledger(P, now()), {}
	sweep(l)
	if not lives(l, member) then
		close(l)
		return redis.error_reply('PLMLOST')
	end
	for i = 4, #args, 2 do
		classes[#classes + 1] = { needs = args[i], most = tonumber(args[i + 1]) }
	end
	local ordered = call('HGET', P .. 'h:' .. member, 'order')
	local ids = (n > 0 and not ordered and #classes > 0) and pick(P, n, classes) or {}
	local reply = { 0 }
	for _, id in ipairs(ids) do
		local task = P .. 't:' .. id
		local f = call('HMGET', task, 'pl', 'at', 'x')
		if f[3] then
			f = call('HMGET', task, 'pl', 'at', 'tl', 'dp', 'du')
		end
		local attempt = tonumber(f[2] or 0) + 1
		call('HSET', task, 'st', 'running', 'ow', member, 'at', attempt, 'be', l.s)
		if f[5] then
			call('ZREM', P .. 'due', id)
			if f[3] then
				call('ZADD', P .. 'due', f[3], id)
			end
		end
		local k = #reply
		reply[k + 1], reply[k + 2], reply[k + 3] = id, attempt, f[1]
		reply[k + 4] = f[3] and string.format('%.0f', math.max(1, tonumber(f[3]) - l.t)) or ''
		reply[k + 5] = f[4] or ''
	end
	call_many('SADD', P .. 'c:' .. member, ids)
	close(l)
	if n > 0 and #ids < n and not ordered then
		call('SADD', P .. 'idle', member)
	end
	reply[1] = next_moment(P, l.t)
	return reply
end

-- Notes where the large values of a task are: the runtime (fb) and all references (fr). True: the task
-- may run again if they are lost. The host need not drop them any more.
local function note_far(P, id, args, at, next_at, fields)
	local refs, boot = {}, nil
	for i = at + 10, next_at - 1, 2 do
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

-- EPOCH MEMBER, then for each attempt: ID ATTEMPT KIND CODE SIGNAL MESSAGE STDERR WALL_US VALUE N, and
-- N further results as pairs of a field and its value (v1, v2...; f0, f1... for places of large
-- values). KIND d: done; f, x, c, b as in end_attempt(); l as in end_lacking(). Returns 1 (accepted) or 0 (void) for each.
local function commit(P, args)
	local member, at, next_at = args[2], 3, 3
	local l, taken, gone = ledger(P, now()), {}, {}
	while next_at <= #args do
		at, next_at = next_at, next_at + 10 + 2 * tonumber(args[next_at + 9])
		local id, kind = args[at], args[at + 2]
		local f = call('HMGET', P .. 't:' .. id, unpack(BRIEF))
		local ours = f[ST] == 'running' and f[OW] == member and f[AT] == args[at + 1]
		if ours and (f[BRIEF_X] or kind ~= 'd') then
			f = read(P, id)
		elseif ours then
			f = { [WT] = f[BRIEF_WT] }
		end
		taken[#taken + 1] = ours and 1 or 0
		if ours then
			gone[#gone + 1] = id
			local fields = args[at + 7] ~= '0' and { 'wall', args[at + 7] } or {}
			-- A former attempt may have left its output.
			local again = args[at + 1] ~= '1'
			if args[at + 6] ~= '' or again then
				fields[#fields + 1], fields[#fields + 2] = 'err', args[at + 6]
			end
			if args[at + 8] ~= '' or again then
				fields[#fields + 1], fields[#fields + 2] = 'val', args[at + 8]
			end
			for i = at + 10, next_at - 1 do
				fields[#fields + 1] = args[i]
			end
			local again = kind == 'd' and next_at > at + 10 and note_far(P, id, args, at, next_at, fields)
			if kind == 'd' then
				settle(l, id, 'done', fields, again and read(P, id) or f, again)
			elseif kind == 'l' then
				end_lacking(l, id, f, args[at + 5])
			else
				fields[#fields + 1], fields[#fields + 2] = 'code', args[at + 3]
				fields[#fields + 1], fields[#fields + 2] = 'sig', args[at + 4]
				fields[#fields + 1], fields[#fields + 2] = 'msg', args[at + 5]
				end_attempt(l, id, f, kind, fields)
			end
		end
	end
	call_many('SREM', P .. 'c:' .. member, gone)
	call_many('SREM', P .. 'x:' .. member, gone)
	if #gone > 0 then
		call('HINCRBY', P .. 'h:' .. member, 'finished', #gone)
	end
	close(l)
	return taken
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

-- EPOCH MEMBER, then pairs of facts. PLMLOST: the member was taken over. Returns the order of the
-- operator ('': none), the milliseconds until the next moment, the classes of needs as one text, large
-- values to be dropped as another, then the ids of tasks to be ended.
local function renew(P, args)
	local member = args[2]
	local l, lease = ledger(P, now()), tonumber(call('HGET', P .. 'meta', 'lease_ms'))
	sweep(l)
	if not lives(l, member) then
		close(l)
		return redis.error_reply('PLMLOST')
	end
	call('ZADD', P .. 'lease', l.t + lease, member)
	call('HSET', P .. 'h:' .. member, 'seen', l.t, unpack(args, 3))
	forget_old(l)
	close(l)
	local f = call('HMGET', P .. 'h:' .. member, 'order', 'boot')
	local reply = { f[1] or '', next_moment(P, l.t), table.concat(call('SMEMBERS', P .. 'needs'), '\n'),
		table.concat(call('SRANDMEMBER', P .. 'drop:' .. f[2], DROPS), ' ') }
	for _, id in ipairs(call('SMEMBERS', P .. 'x:' .. member)) do
		reply[#reply + 1] = id
	end
	return reply
end

-- EPOCH MEMBER: the claims of the member, as ids and attempts, for a host whose connection broke.
local function mine(P, args)
	local member, reply = args[2], {}
	if not call('ZSCORE', P .. 'lease', member) then
		return redis.error_reply('PLMLOST')
	end
	for _, id in ipairs(call('SMEMBERS', P .. 'c:' .. member)) do
		reply[#reply + 1] = id
		reply[#reply + 1] = tonumber(call('HGET', P .. 't:' .. id, 'at') or 0)
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
	for _, id in ipairs(call('SMEMBERS', P .. 'c:' .. member)) do
		local f = read(P, id)
		if f.ow == member and f.st == 'running' then
			end_attempt(l, id, f, 'x', { 'code', '130', 'msg', 'its host left the fleet' })
		end
	end
	call('DEL', P .. 'c:' .. member, P .. 'x:' .. member)
	call('ZREM', P .. 'lease', member)
	call('SREM', P .. 'idle', member)
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
		local f = call('HMGET', P .. 't:' .. id, 'st', 'ow', 'ne')
		reply[i - 1] = 1
		if not f[1] then
			reply[i - 1] = -1
		elseif f[1] == 'running' then
			call('HSET', P .. 't:' .. id, 'cx', 'c')
			call('SADD', P .. 'x:' .. f[2], id)
			call('PUBLISH', P .. 'bell:' .. f[2], 'x')
		elseif f[1] == 'waiting' or f[1] == 'ready' or f[1] == 'pause' then
			call('ZREM', P .. 'waiting', id)
			call('ZREM', P .. 'later', id)
			call('ZREM', P .. 'q:' .. (f[3] or ''), id)
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
	local reply = {}
	for i = 2, #args do
		local id, task = args[i], P .. 't:' .. args[i]
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
-- Returns for each 1, 0 (the task has not failed), -1 (none), -2 (a task it needs is not done).
local function retry(P, args)
	local reply = {}
	local l = ledger(P, now())
	for i = 2, #args do
		local id, task = args[i], P .. 't:' .. args[i]
		local f = call('HMGET', task, 'st', 'pr', 'ne', 'ro', 'co', 'dp', 'un', 'qm', 'tm')
		local good = f[1] == 'failed' or f[1] == 'cancelled'
		reply[i - 1] = not f[1] and -1 or good and 1 or 0
		for _, dep in ipairs(ids_of(f[6])) do
			if good and call('HGET', P .. 't:' .. dep, 'st') ~= 'done' then
				reply[i - 1] = -2
			end
		end
		if reply[i - 1] == 1 then
			for _, dep in ipairs(ids_of(f[6])) do
				call('HINCRBY', P .. 't:' .. dep, 'us', 1)
			end
			call('ZREM', P .. 'ended', id)
			l.counts[f[1]] = (l.counts[f[1]] or 0) - 1
			call('HDEL', task, 'cx', 'code', 'sig', 'msg', 'err', 'val', 'en', 'tl', 'du')
			call('HSET', task, 'st', 'ready', 're', f[4] or 0, 'cr', f[5] or 0, 'ow', '', 'su', l.t)
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
	local reply = {}
	for i = 2, #args do
		local id, task = args[i], P .. 't:' .. args[i]
		local f = call('HMGET', task, 'st', 'us')
		reply[i - 1] = not f[1] and -1 or 0
		if f[1] == 'done' or f[1] == 'failed' or f[1] == 'cancelled' then
			if tonumber(f[2] or 0) > 0 then
				call('HSET', task, 'fo', 1) -- another task still needs the value
			else
				remove(P, id)
			end
			call('HINCRBY', P .. 'counts', f[1], -1)
			reply[i - 1] = 1
		end
	end
	return reply
end

-- EPOCH PRIORITY ID...: returns for each 1, 0 (settled or running), -1 (none).
local function move(P, args)
	local reply = {}
	for i = 3, #args do
		local id, task = args[i], P .. 't:' .. args[i]
		local f = call('HMGET', task, 'st', 'ne')
		reply[i - 2] = not f[1] and -1 or 0
		if f[1] == 'ready' or f[1] == 'waiting' or f[1] == 'pause' then
			call('HSET', task, 'pr', args[2])
			if f[1] == 'ready' then
				call('ZADD', P .. 'q:' .. (f[2] or ''), score(tonumber(args[2]), tonumber(id)), id)
			end
			reply[i - 2] = 1
		end
	end
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
		reply[i - 2] = f[1] or ''
		local ended = not f[1] or f[1] == 'done' or f[1] == 'failed' or f[1] == 'cancelled'
		if not ended and f[2] ~= args[2] then
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

-- EPOCH FROM COUNT: up to COUNT tasks from id FROM on. Returns the next id to ask for (0: the end),
-- then for each task its id, the name of its host, and the fields SHOWN.
local function list(P, args)
	local from, count = tonumber(args[2]), tonumber(args[3])
	local last, reply, looked = tonumber(call('HGET', P .. 'meta', 'next')), { 0 }, 0
	while from <= last and looked < count do
		local f = call('HMGET', P .. 't:' .. string.format('%.0f', from), unpack(SHOWN))
		if f[1] then
			local owner = f[5] and f[5] ~= '' and call('HGET', P .. 'h:' .. f[5], 'name')
			reply[#reply + 1] = string.format('%.0f', from)
			reply[#reply + 1] = owner or ''
			for i = 1, #SHOWN do
				reply[#reply + 1] = f[i] and tostring(f[i]) or ''
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
	local members = call('ZRANGE', P .. 'lease', 0, -1)
	for _, member in ipairs(members) do
		running = running + call('SCARD', P .. 'c:' .. member)
	end
	local c = call('HMGET', P .. 'counts', 'done', 'failed', 'cancelled')
	return { 'waiting', call('ZCARD', P .. 'waiting'), 'ready', ready, 'pause',
		call('ZCARD', P .. 'later'), 'running', running, 'done', tonumber(c[1] or 0), 'failed',
		tonumber(c[2] or 0), 'cancelled', tonumber(c[3] or 0), 'hosts', #members }
end

local HOST = { 'name', 'state', 'order', 'seen', 'cores', 'busy', 'mem_total', 'mem_used',
	'finished', 'pid', 'runtime', 'version', 'can' }

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
			reply[#reply + 1] = string.format('%.0f', call('SCARD', P .. 'c:' .. member))
			for i = 1, #HOST do
				reply[#reply + 1] = f[i] and tostring(f[i]) or ''
			end
		end
	end
	return reply
end

-- EPOCH ID: why a task has not ended: state, needs, tasks before it in its queue, milliseconds until its
-- pause ends, its host, milliseconds since its begin, attempt, message, then the tasks that it waits
-- for and that are not done, each with its state.
local function explain(P, args)
	local id, task = args[2], P .. 't:' .. args[2]
	local l = ledger(P, now())
	sweep(l)
	close(l)
	local f = call('HMGET', task, 'st', 'ne', 'ow', 'be', 'at', 'msg', 'dp')
	local owner = f[3] and f[3] ~= '' and call('HGET', P .. 'h:' .. f[3], 'name')
	local later = call('ZSCORE', P .. 'later', id)
	local reply = { f[1] or '', f[2] or '', call('ZRANK', P .. 'q:' .. (f[2] or ''), id) or 0,
		later and math.max(0, later - l.t) or 0, owner or '',
		f[4] and math.max(0, l.t - f[4]) or 0, tonumber(f[5] or 0), f[6] or '' }
	for _, dep in ipairs(ids_of(f[7])) do
		local state = call('HGET', P .. 't:' .. dep, 'st') or 'gone'
		if state ~= 'done' then
			reply[#reply + 1] = dep
			reply[#reply + 1] = state
		end
	end
	return reply
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

-- When memory is full, Redis refuses a function before it begins. No task is added then; what starts
-- or ends work goes on. (A library that is being loaded has no loops over tables.)
local function guarded(verb) -- works on the queue of the epoch alone
	return function(keys, args)
		return refuse(keys[1], args[1]) or verb(keys[1], args)
	end
end
local function register(name, verb)
	redis.register_function{ function_name = 'plm1_' .. name, callback = guarded(verb),
		flags = { 'allow-oom' } }
end
redis.register_function{ function_name = 'plm1_open', callback = open, flags = { 'allow-oom' } }
redis.register_function('plm1_add', guarded(add))
redis.register_function('plm1_put', guarded(put))
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
register('list', list)
register('status', status)
register('hosts', hosts)
register('order', order)
register('explain', explain)
