namespace EventBus;

/// <summary>
/// Contains the Lua scripts of the failure store that claim due entries, and that change claimed entries.
/// </summary>
internal static class RedisFailureClaimScripts
{
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
