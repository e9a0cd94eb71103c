namespace EventBus;

/// <summary>
/// Contains the Lua scripts of the failure store that change entries. Each step is one script, so it happens completely
/// or not at all.
/// </summary>
/// <remarks>
/// An entry is a field of four hashes (state, event, body, errors) under its id, and a member of the sorted sets for
/// its status. A claim sets its score in the sorted set of the due entries of its subscription to the end of the lease.
/// Lines, parked entries, deferred entries and positions are sorted sets in the byte order of their members, so that
/// one key serves all lines: <c>subscription~length~key~place~id</c>. A state that cannot be read is rebuilt from the
/// indexes when the entry is claimed, retried or discarded, and never hides another entry.
/// <see cref="RedisFailureLua"/> describes the fields of the state, and contains the functions that the scripts call.
/// </remarks>
internal static class RedisFailureScripts
{
    /// <summary>
    /// Stores a new entry, or settles a claimed one. ARGV: id, subscription, claim (0 for a new entry), state, errors,
    /// attributes, body. Returns 1 if the entry was written, by this call or its repeat, and otherwise 0.
    /// </summary>
    public const string Record = RedisFailureLua.Prelude + """
        local id, claim, new = ARGV[1], tonumber(ARGV[3]), cjson.decode(ARGV[4])
        local old, broken = read(id)
        local is_claimed = old and claim ~= 0 and old.claim == claim and old.held
        if is_claimed then
          replace_entry(id, old, new)
          return 1
        end

        -- The repeat of a call whose reply was lost finds its own token.
        if old then return old.token == new.token and 1 or 0 end
        if claim ~= 0 or broken then return 0 end
        add_entry(id, new)
        return 1
        """;

    /// <summary>
    /// Stores an entry at the end of its line if the line exists. ARGV: as for <see cref="Record"/>, then the maximum
    /// number of parked entries of the line. Returns 0 for not blocked, 1 for parked, 2 for full.
    /// </summary>
    public const string Park = RedisFailureLua.Prelude + """
        local id, new = ARGV[1], cjson.decode(ARGV[4])
        if not head(new.line) then return 0 end
        if call('HEXISTS', states, id) == 1 then return 1 end
        if call('ZLEXCOUNT', parked, '[' .. new.line, '(' .. new.line .. ':') >= tonumber(ARGV[8]) then return 2 end
        add_entry(id, new)
        return 1
        """;

    /// <summary>
    /// Stores an entry that waits for another event of its order key. ARGV: as for <see cref="Record"/>, then the
    /// maximum number of deferred entries of the key, and the stamp with which the guard decided. Returns 0 for
    /// deferred (or stored or settled already), 1 if the stamp has changed, 2 for full.
    /// </summary>
    public const string Defer = RedisFailureLua.Prelude + """
        local id, claim, new = ARGV[1], tonumber(ARGV[3]), cjson.decode(ARGV[4])
        local old, broken = read(id)
        if broken then return 0 end
        if claim == 0 then
          if old then return 0 end
        elseif not (old and old.held and old.claim == claim) then
          return 0
        end
        if order_of(new.order) ~= tonumber(ARGV[9]) then return 1 end

        -- A claimed entry that was deferred before is already counted.
        local is_counted = old and old.status == 'deferred'
        if not is_counted and call('ZLEXCOUNT', deferred, '[' .. new.order, '(' .. new.order .. ':') >= tonumber(ARGV[8]) then return 2 end
        if old then replace_entry(id, old, new) else add_entry(id, new) end
        return 0
        """;

    /// <summary>
    /// Claims due entries. ARGV: now, end of the lease, maximum number for each subscription, token of the call,
    /// milliseconds for which the token is remembered. Returns the next due time, then for each entry: id, claim, due
    /// time, state, event, body, errors.
    /// </summary>
    public const string Claim = RedisFailureLua.Prelude + """
        local now, lease_end, max = ARGV[1], ARGV[2], tonumber(ARGV[3])
        local MAX_BYTES = 4 * 1024 * 1024
        local rows, claims, bytes = { false }, {}, 0

        -- Claims one entry. due_time: its score, which is its due time or the end of an expired lease; k: the position
        -- of its subscription's key in KEYS. Returns true; or false for an entry that must not be claimed, which is
        -- then no longer due.
        local function claim(id, due_time, k)
          local s = repaired(id)
          if not s or s.status == 'dead' or (s.line and head(s.line) ~= member(s.line, s.place, id)) then
            call('ZREM', due, id)
            call('ZREM', due_of_subscription, id)
            return false
          end

          -- A parked entry that is claimed waits only for its own retries. A deferred entry keeps its status, so that
          -- it counts for its key until the caller settles it.
          if s.status == 'parked' then
            call('ZREM', parked, member(s.line, s.place, id))
            s.status = 'waiting'
          end

          -- An entry that is still held was claimed by an instance whose lease has expired. That attempt was counted.
          s.interrupted = s.held
          s.held = true
          if not s.interrupted then s.starts = s.starts + 1 end
          s.claim = next_of('claim')
          write(id, s)
          call('ZADD', due, 'NX', due_time, id)
          call('ZADD', due_of_subscription, lease_end, id)
          local body = call('HGET', bodies, id)
          bytes = bytes + #(body or '')
          rows[#rows + 1] = { id, s.claim, due_time, call('HGET', states, id), call('HGET', events, id), body, call('HGET', errors, id) }
          claims[#claims + 1] = { id, s.claim, k }
          return true
        end

        for k = PAIRS, #KEYS, 2 do
          due_of_subscription, dead_of_subscription = KEYS[k], KEYS[k + 1]
          local remaining, dropped = max, 0
          bytes = 0

          -- Due entries may follow those that must not be claimed, so the set is read again after any of them.
          repeat
            local page = call('ZRANGE', due_of_subscription, '-inf', now, 'BYSCORE', 'LIMIT', 0, remaining, 'WITHSCORES')
            dropped = 0
            for i = 1, #page, 2 do
              if claim(page[i], page[i + 1], k) then
                remaining = remaining - 1
              else
                dropped = dropped + 1
              end

              -- Returns at least one entry, but not so many that a slow connection needs longer than the lease. The
              -- rest stays due.
              if bytes >= MAX_BYTES then remaining = 0 end
              if remaining == 0 then break end
            end
          until remaining == 0 or dropped == 0
          local first = call('ZRANGE', due_of_subscription, 0, 0, 'WITHSCORES')[2]
          if first and (not rows[1] or tonumber(first) < tonumber(rows[1])) then rows[1] = first end
        end
        if #claims > 0 then call('SET', last_claim, cjson.encode({ token = ARGV[4], given = claims }), 'PX', ARGV[5]) end
        return rows
        """;

    /// <summary>
    /// Undoes a claim whose reply was lost, so that it does not count as an attempt. ARGV: token of that call. KEYS: as
    /// in that call, because the claims contain positions in KEYS.
    /// </summary>
    public const string UndoClaim = RedisFailureLua.Prelude + """
        local ok, last = pcall(cjson.decode, call('GET', last_claim) or '')
        if not ok or last.token ~= ARGV[1] then return end
        for _, each in ipairs(last.given) do
          local id = each[1]
          local s = read(id)
          if s and s.held and s.claim == each[2] then
            if not s.interrupted then s.starts = s.starts - 1 end

            -- An entry that was taken over stays held, so that its next claim takes it over again.
            s.held = s.interrupted
            s.interrupted = nil
            write(id, s)
            call('ZADD', KEYS[each[3]], call('ZSCORE', due, id) or s.due, id)
          end
        end
        call('DEL', last_claim)
        """;

    /// <summary>
    /// Updates the attempt counts of a claimed entry. ARGV: id, claim, attempts, concurrent attempts. Returns 0 if the
    /// claim was lost, otherwise 1.
    /// </summary>
    public const string Begin = RedisFailureLua.Prelude + """
        local s = read(ARGV[1])
        if not (s and s.held and s.claim == tonumber(ARGV[2])) then return 0 end
        s.starts, s.accompanied = tonumber(ARGV[3]), tonumber(ARGV[4])
        write(ARGV[1], s)
        return 1
        """;

    /// <summary>
    /// Renews claims. ARGV: end of the lease; for each claim: id, claim, position of its subscription's key in KEYS.
    /// Returns the ids whose claims are lost.
    /// </summary>
    public const string Renew = RedisFailureLua.Prelude + """
        local lost = {}
        for i = 2, #ARGV, 3 do
          local s = read(ARGV[i])
          if s and s.held and s.claim == tonumber(ARGV[i + 1]) then
            call('ZADD', KEYS[tonumber(ARGV[i + 2])], ARGV[1], ARGV[i])
          else
            lost[#lost + 1] = ARGV[i]
          end
        end
        return lost
        """;

    /// <summary>Removes a claimed entry; has no effect if the claim was lost. ARGV: id, claim.</summary>
    public const string Complete = RedisFailureLua.Prelude + """
        local s = read(ARGV[1])
        if s and s.held and s.claim == tonumber(ARGV[2]) then remove_entry(ARGV[1], s) end
        """;
}
