namespace EventBus;

/// <summary>
/// Contains the Lua scripts of the failure store that store entries. Each step is one script, so it happens completely
/// or not at all.
/// </summary>
/// <remarks>
/// An entry is a field of four hashes (state, event, body, errors) under its id, and a member of the sorted sets for
/// its status. A claim sets its score in the sorted set of the due entries of its subscription to the end of the lease.
/// Lines, parked entries, deferred entries and positions are sorted sets in the byte order of their members, so that
/// one key serves all lines: <c>subscription~length~key~place~id</c>. A state that cannot be read is rebuilt from the
/// indexes when the entry is claimed, retried or discarded, and never hides another entry.
/// <see cref="RedisFailureLua"/> describes the fields of the state, and composes the functions that the scripts call.
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
}
